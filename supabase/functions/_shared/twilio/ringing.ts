import { RINGING_SEC } from "../calls/reply.ts";
import { wav } from "../wav.ts";

const RATE = 8000;
const TONE_SEC = 2;

/**
 * A telephone that rings elsewhere, as a WAV file of `RINGING_SEC`: 440 and 480 Hz, two seconds on and four off.
 * Source: Telcordia GR-506, audible ringing tone of North America.
 */
export function ringingTone(): Uint8Array<ArrayBuffer> {
  return tone ??= made();
}

/** Kept: it is public, so everybody may ask for it as often as they like. */
let tone: Uint8Array<ArrayBuffer> | undefined;

function made(): Uint8Array<ArrayBuffer> {
  const file = wav({ seconds: RINGING_SEC, rate: RATE });
  const samples = new DataView(file.buffer, file.length - RINGING_SEC * RATE * 2);
  for (let at = 0; at < TONE_SEC * RATE; at++) {
    const wave = (hertz: number) => Math.sin(2 * Math.PI * hertz * at / RATE);
    samples.setInt16(2 * at, Math.round(2000 * (wave(440) + wave(480))), true);
  }
  return file;
}
