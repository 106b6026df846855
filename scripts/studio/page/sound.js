/** The browser's voice, ears and tones. Each is left out quietly where the browser has none. */

const synthesis = globalThis.speechSynthesis;
const Recognition = globalThis.SpeechRecognition ?? globalThis.webkitSpeechRecognition;

/** Whether words can be heard by the browser. */
export const canRecognise = Recognition !== undefined;

/** Whether a microphone may be asked for. */
export const canRecord = globalThis.MediaRecorder !== undefined &&
  navigator.mediaDevices?.getUserMedia !== undefined;

/** Calls back when the browser turns out to have a voice; many load theirs late. */
export function onVoice(callback) {
  const look = () => synthesis.getVoices().length > 0 && callback();
  if (synthesis === undefined) return;
  look();
  synthesis.addEventListener?.("voiceschanged", look);
}

/**
 * Speaks a prompt, or leaves as long as it takes to read it. `done` is called once, unless the
 * returned function ended it before.
 *
 * @param {{text: string, language?: string, audio: boolean}} prompt
 * @param {boolean} aloud
 * @param {() => void} done
 */
export function speak({ text, language, audio }, aloud, done) {
  let isOver = false;
  const end = () => {
    if (isOver) return false;
    isOver = true;
    clearTimeout(timer);
    return true;
  };
  const finish = () => end() && done();
  const hasVoice = aloud && !audio && (synthesis?.getVoices().length ?? 0) > 0;
  // A voice that never ends must not hold up the call.
  const longest = hasVoice ? 5000 + text.length * 120 : Math.min(600 + text.length * 22, 6000);
  const timer = setTimeout(finish, longest);
  if (hasVoice) {
    const utterance = new SpeechSynthesisUtterance(text);
    utterance.lang = language ?? "en-US";
    utterance.onend = finish;
    utterance.onerror = finish;
    synthesis.cancel();
    synthesis.speak(utterance);
  }
  return () => {
    if (end() && hasVoice) synthesis.cancel();
  };
}

/**
 * Listens for words until they are said. Returns how to stop listening.
 *
 * @param {{onWords: (words: string, isFinal: boolean) => void, onEnd: () => void, lasting?: boolean}} listener
 */
export function recognise({ onWords, onEnd, lasting = false }) {
  const recognition = new Recognition();
  recognition.lang = "en-US";
  recognition.interimResults = true;
  recognition.continuous = lasting;
  recognition.onresult = ({ results }) => {
    const all = [...results];
    onWords(all.map(([best]) => best.transcript).join(" "), all.every((each) => each.isFinal));
  };
  recognition.onend = onEnd;
  recognition.onerror = () => {};
  try {
    recognition.start();
  } catch {
    onEnd();
  }
  return () => recognition.abort();
}

/**
 * Records from the microphone.
 *
 * @throws where there is none, or it is not allowed.
 */
export async function record() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream);
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const started = performance.now();
  recorder.start();
  const release = () => stream.getTracks().forEach((track) => track.stop());
  return {
    /** Ends it. */
    stop: () =>
      new Promise((resolve) => {
        recorder.onstop = () => {
          release();
          const seconds = (performance.now() - started) / 1000;
          const type = recorder.mimeType || "audio/webm";
          resolve({ blob: new Blob(parts, { type }), seconds, type });
        };
        recorder.stop();
      }),
    /** Forgets it. */
    drop() {
      recorder.ondataavailable = null;
      if (recorder.state !== "inactive") recorder.stop();
      release();
    },
  };
}

const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];
const KEYS = "123456789*0#";
let context;

/** The two tones of a key. */
export function keyTone(key) {
  const at = KEYS.indexOf(key);
  tone([ROWS[Math.floor(at / 3)], COLUMNS[at % 3]], 0.14);
}

/** What is heard before a message is recorded. */
export const beep = () => tone([1000], 0.4);

function tone(frequencies, seconds) {
  if (globalThis.AudioContext === undefined) return;
  context ??= new AudioContext();
  const gain = context.createGain();
  gain.gain.setValueAtTime(0.06, context.currentTime);
  gain.gain.setTargetAtTime(0, context.currentTime + seconds - 0.03, 0.01);
  gain.connect(context.destination);
  for (const frequency of frequencies) {
    const oscillator = context.createOscillator();
    oscillator.frequency.value = frequency;
    oscillator.connect(gain);
    oscillator.start();
    oscillator.stop(context.currentTime + seconds);
  }
}
