/** Prompts as sound: recorded with the microphone or taken from a file, made what a telephone carries, and stored. */
import { config, me } from "../session.js";
import { call, Failure } from "../data.js";
import { t } from "../words.js";
import { act, Do, html, useEffect, useState } from "../parts.js";

/** What a telephone carries, in samples a second. */
const RATE = 8000;

/** Any sound that the browser can read, as WAV: 8000 Hz, mono, 16 bits. @throws {Failure} */
async function asWav(blob) {
  let sound;
  try {
    // Decoding also converts to the context's rate.
    sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await blob.arrayBuffer());
  } catch {
    throw new Failure(
      t("This browser cannot read that file.", "Ce navigateur ne peut pas lire ce fichier."),
    );
  }
  const channels = Array.from(
    { length: sound.numberOfChannels },
    (_, n) => sound.getChannelData(n),
  );
  const view = new DataView(new ArrayBuffer(44 + sound.length * 2));
  const ascii = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  ascii(0, "RIFF");
  view.setUint32(4, 36 + sound.length * 2, true);
  ascii(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true);
  view.setUint32(28, RATE * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  ascii(36, "data");
  view.setUint32(40, sound.length * 2, true);
  for (let i = 0; i < sound.length; i++) {
    const mixed = channels.reduce((sum, samples) => sum + samples[i], 0) / channels.length;
    view.setInt16(44 + i * 2, Math.max(-1, Math.min(1, mixed)) * 0x7fff, true);
  }
  return new Blob([view], { type: "audio/wav" });
}

/** Stores a sound as a prompt. @returns its hash, by which flows name it @throws {Failure} */
async function store(blob) {
  const query = me.org_id ? `?org_id=${me.org_id}` : "";
  return (await call(`call-flows/prompt${query}`, { body: await asWav(blob) })).hash;
}

/**
 * Plays, records and replaces the sound of a prompt.
 *
 * @param {{label: string, audio?: string, words?: string, set: (spoken: unknown) => void}} prompt `words` are spoken should
 * the file be missing.
 */
export function PromptSound({ label, audio, words, set }) {
  const [recorder, setRecorder] = useState();
  const [url, setUrl] = useState();
  useEffect(() => () => url && URL.revokeObjectURL(url), [url]);
  useEffect(() => setUrl(undefined), [audio]);
  const take = (blob) =>
    act(
      async () => set({ audio: await store(blob), ...(words && { text: words }) }),
      t(
        "Stored. Callers hear it once it is published.",
        "Enregistré. Les appelants l’entendront après publication.",
      ),
      () => Promise.resolve(set(audio ? { audio, ...(words && { text: words }) } : words)),
    );
  const record = async () => {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const recording = new MediaRecorder(stream);
      const parts = [];
      recording.ondataavailable = ({ data }) => parts.push(data);
      recording.onstop = () => {
        for (const track of stream.getTracks()) track.stop();
        setRecorder();
        take(new Blob(parts, { type: recording.mimeType }));
      };
      recording.start();
      setRecorder(recording);
    } catch {
      throw new Failure(
        t(
          "The microphone is not allowed. Allow it for this page in the browser.",
          "Le microphone n’est pas autorisé. Autorisez-le pour cette page.",
        ),
      );
    }
  };
  const play = () =>
    act(async () => {
      const file = await fetch(`${config.url}/storage/v1/object/public/prompts/${audio}`);
      if (!file.ok) throw new Failure(t("The file is missing.", "Le fichier manque."));
      setUrl(URL.createObjectURL(await file.blob()));
    });
  return html`<span class="row">
    ${
    audio && (url
      ? html`<audio src=${url} controls autoplay aria-label=${label}></audio>`
      : html`<${Do} act=${play} aria-label=${`${t("Play", "Écouter")}: ${label}`}>▶ ${
        t("Play", "Écouter")
      }<//>`)
  }
    ${
    recorder
      ? html`<button type="button" class="danger" onClick=${() => recorder.stop()}>■ ${
        t("Stop recording", "Arrêter")
      }</button>`
      : html`<${Do} act=${() => act(record)} aria-label=${`${
        t("Record", "Enregistrer")
      }: ${label}`}>● ${t("Record", "Enregistrer")}<//>`
  }
    <label class="button">${
    t("Take a file", "Choisir un fichier")
  }<input type="file" class="hidden" accept="audio/*"
      aria-label=${`${t("Take a file", "Choisir un fichier")}: ${label}`} onChange=${(event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) take(file);
  }} /></label>
    ${
    audio && html`<button type="button" class="quiet" onClick=${() =>
      set(words ?? "")}>${t("Speak words instead", "Dire des paroles")}</button>`
  }
  </span>`;
}
