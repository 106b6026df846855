/**
 * A WAV file of silence.
 *
 * @param form `rate`: frames a second; `bits`: of a sample; `format`: 1 is PCM. By default as telephones have it.
 */
export function wav(
  { seconds = 1, rate = 8000, channels = 1, bits = 16, format = 1 }: {
    seconds?: number;
    rate?: number;
    channels?: number;
    bits?: number;
    format?: number;
  } = {},
): Uint8Array<ArrayBuffer> {
  const frame = channels * bits / 8;
  const size = Math.round(seconds * rate) * frame;
  const bytes = new Uint8Array(44 + size);
  const view = new DataView(bytes.buffer);
  const text = (at: number, chars: string) => bytes.set(new TextEncoder().encode(chars), at);
  text(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, format, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * frame, true);
  view.setUint16(32, frame, true);
  view.setUint16(34, bits, true);
  text(36, "data");
  view.setUint32(40, size, true);
  return bytes;
}
