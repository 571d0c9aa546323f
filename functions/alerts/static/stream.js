// The live stream: one WebSocket that reconnects by itself and continues after the last sequence number seen.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;
const SILENCE = 40_000; // the server pings every 15 s; longer silence is a dead connection

export class Stream {
  /** `handlers`: onAlert(alert), onState("connecting" | "live" | "away"), onReady(seq, mine). */
  constructor(handlers) {
    this.handlers = handlers;
    this.last = 0;
    this.socket = undefined; // null while it waits to connect again
    this.pause = FIRST_PAUSE;
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
  }

  /** Connect after sequence number `last`; from then on it stays connected. */
  start(last) {
    this.last = last;
    this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/alerts/stream?after=${this.last}`);
    this.socket = socket;
    socket.onmessage = ({ data }) => socket === this.socket && this.receive(JSON.parse(data));
    socket.onclose = () => socket === this.socket && this.reconnect();
    this.watch();
  }

  receive(frame) {
    this.watch();
    if (frame.type === "ready") {
      this.pause = FIRST_PAUSE;
      this.handlers.onState("live");
      const mine = this.last;
      this.last = Math.min(this.last, frame.seq); // a restored database may stand behind us
      this.handlers.onReady(frame.seq, mine);
    } else if (frame.type === "alert" && frame.seq > this.last) {
      this.last = frame.seq;
      this.handlers.onAlert(frame.alert);
    }
  }

  /** Give a silent connection up: half-open ones never tell. */
  watch() {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => {
      this.socket.close();
      this.reconnect();
    }, SILENCE);
  }

  reconnect() {
    clearTimeout(this.watchdog);
    clearTimeout(this.timer);
    this.socket = null;
    this.handlers.onState("away");
    this.timer = setTimeout(() => this.connect(), this.pause * (0.5 + Math.random() / 2));
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
  }

  retryNow() {
    if (this.socket === null) this.connect();
  }
}
