"""What more than one door needs: the pure domain, ports, and the adapters behind them."""
