"""alerts: analysts see alerts arrive over WebSocket and act on them."""
