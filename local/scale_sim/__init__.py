"""A simulation of KEDA's and the HPA's rules over the scorers: on real processes, and on a made-up day."""
