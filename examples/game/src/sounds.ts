/** A few sounds, made on the spot. Silent until the page was touched, and where it was told to be. */

const KEY = "roomcast-game.silent";

export class Sounds {
  #context: AudioContext | undefined;
  #silent = read();

  constructor() {
    const wake = (): void => void this.#audio()?.resume();
    for (const touch of ["pointerdown", "keydown"] as const) window.addEventListener(touch, wake);
  }

  get isSilent(): boolean {
    return this.#silent;
  }

  toggle(): void {
    this.#silent = !this.#silent;
    try {
      localStorage.setItem(KEY, String(this.#silent));
    } catch {
      // Asked again on the next visit.
    }
  }

  bump(isOurs: boolean): void {
    this.#tone("square", 190, 45, 0.16, isOurs ? 0.16 : 0.05);
  }

  dash(): void {
    this.#tone("sine", 300, 900, 0.12, 0.09);
  }

  bucket(): void {
    this.#tone("triangle", 500, 1_300, 0.22, 0.12);
  }

  count(): void {
    this.#tone("triangle", 520, 520, 0.12, 0.14);
  }

  go(): void {
    this.#tone("triangle", 880, 1_040, 0.35, 0.16);
  }

  end(won: boolean): void {
    const notes = won ? [523, 659, 784, 1_047] : [523, 466, 415];
    notes.forEach((note, index) => this.#tone("triangle", note, note, 0.24, 0.14, index * 0.13));
  }

  #tone(type: OscillatorType, from: number, to: number, seconds: number, volume: number, later = 0): void {
    const audio = this.#audio();
    if (this.#silent || audio?.state !== "running") return;
    const begin = audio.currentTime + later;
    const [tone, gain] = [audio.createOscillator(), audio.createGain()];
    tone.type = type;
    tone.frequency.setValueAtTime(from, begin);
    tone.frequency.exponentialRampToValueAtTime(to, begin + seconds);
    gain.gain.setValueAtTime(volume, begin);
    gain.gain.exponentialRampToValueAtTime(0.001, begin + seconds);
    tone.connect(gain).connect(audio.destination);
    tone.start(begin);
    tone.stop(begin + seconds);
  }

  /** Made at the first touch: before it browsers allow none, and say so in the console. */
  #audio(): AudioContext | undefined {
    if (this.#context === undefined && navigator.userActivation?.hasBeenActive) this.#context = new AudioContext();
    return this.#context;
  }
}

function read(): boolean {
  try {
    return localStorage.getItem(KEY) === "true";
  } catch {
    return false;
  }
}
