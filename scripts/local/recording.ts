/** The media of any recording, as Twilio would serve it: a second of a tone, as there is no voice. */
export function recordedMedia(path: string): Response | undefined {
  if (!/\/Recordings\/RE[0-9a-f]{32}\.(mp3|wav)$/.test(path)) return undefined;
  return new Response(tone(), { headers: { "content-type": "audio/x-wav" } });
}

/** A second of 440 Hz as WAV: mono, 8 bits, 8000 samples a second. */
function tone(): Uint8Array<ArrayBuffer> {
  const rate = 8000;
  const wav = new Uint8Array(44 + rate);
  const view = new DataView(wav.buffer);
  const text = (at: number, value: string) => wav.set(new TextEncoder().encode(value), at);
  text(0, "RIFF");
  view.setUint32(4, 36 + rate, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate, true);
  view.setUint16(32, 1, true);
  view.setUint16(34, 8, true);
  text(36, "data");
  view.setUint32(40, rate, true);
  for (let i = 0; i < rate; i++) wav[44 + i] = 128 + 100 * Math.sin(2 * Math.PI * 440 * i / rate);
  return wav;
}
