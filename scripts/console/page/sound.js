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
 * Speaks a prompt, or plays its audio; without a voice, or when it fails, leaves as long as it takes to read it. `done`
 * is called once, unless the returned function ended it before.
 *
 * @param {{text: string, language?: string, audio: boolean}} prompt
 * @param {boolean} aloud
 * @param {() => void} done
 */
export function speak({ text, language, audio }, aloud, done) {
  // Referenced until the end: browsers drop an unreferenced utterance and its events.
  let utterance;
  let timer;
  const player = audio && aloud ? audioOf(text) : undefined;
  const stop = () => {
    clearTimeout(timer);
    if (player !== undefined) {
      player.onended = player.onerror = null;
      player.pause();
    }
    if (utterance === undefined) return;
    utterance.onend = utterance.onerror = null;
    utterance = undefined;
    synthesis.cancel();
  };
  const doneAfter = (ms) =>
    timer = setTimeout(() => {
      stop();
      done();
    }, ms);
  const read = () => {
    stop();
    doneAfter(Math.min(600 + text.length * 22, 6000));
  };
  if (player !== undefined) {
    player.onended = () => {
      stop();
      done();
    };
    player.onerror = read;
    player.play().catch(read);
    return stop;
  }
  if (!aloud || audio || (synthesis?.getVoices().length ?? 0) === 0) {
    read();
    return stop;
  }
  // Speech that an earlier page left unfinished.
  synthesis.cancel();
  utterance = new SpeechSynthesisUtterance(text);
  utterance.lang = language ?? "en-US";
  utterance.onend = () => {
    stop();
    done();
  };
  utterance.onerror = read;
  synthesis.speak(utterance);
  // A voice that never ends must not hold up the call.
  doneAfter(5000 + text.length * 120);
  return stop;
}

/** A prompt of a flow, which this page's server brings from Storage; others are not played. */
function audioOf(url) {
  const hash = /\/prompts\/([0-9a-f]{64})$/.exec(url)?.[1];
  return hash === undefined ? undefined : new Audio(`/prompts/${hash}`);
}

/** Advice for each error of the recogniser. Source: Web Speech API, section 4.1.5. */
const DEAF = {
  "not-allowed": "The microphone is not allowed. Allow it for this page in the browser.",
  "service-not-allowed": "This browser does not let this page recognise speech.",
  "audio-capture": "No microphone was found.",
  "network": "The browser's speech recognition is not available.",
  "language-not-supported": "The browser does not recognise this language.",
  "no-speech": "Nothing was heard.",
  "aborted": "Listening was interrupted.",
};

/**
 * Listens for words. `onEnd` is called when nothing more will be heard, with the reason why nothing
 * was recognised, if so; not after `drop`.
 *
 * @param {{
 *   language: string,
 *   lasting?: boolean,
 *   onWords: (words: string, isFinal: boolean) => void,
 *   onEnd: (fault: string | undefined) => void,
 * }} listener `lasting`: goes on after a pause.
 * @returns {{finish: () => void, drop: () => void}} `finish`: what was said until now is all.
 */
export function recognise({ language, lasting = false, onWords, onEnd }) {
  let isDropped = false;
  let heard = false;
  let error = "no-speech";
  const end = () => {
    if (isDropped) return;
    onEnd(heard ? undefined : DEAF[error] ?? `Speech recognition failed (${error}).`);
  };
  const recognition = new Recognition();
  recognition.lang = language;
  recognition.interimResults = true;
  recognition.continuous = lasting;
  recognition.onresult = ({ results }) => {
    if (isDropped) return;
    heard = true;
    const all = [...results];
    onWords(
      all.map(([best]) => best.transcript.trim()).join(" "),
      all.every((each) => each.isFinal),
    );
  };
  recognition.onerror = (event) => error = event.error;
  recognition.onend = end;
  try {
    recognition.start();
  } catch (problem) {
    error = problem.message;
    queueMicrotask(end);
  }
  return {
    finish: () => recognition.stop(),
    drop() {
      isDropped = true;
      recognition.abort();
    },
  };
}

/**
 * Records from the microphone.
 *
 * @throws {Error} where there is none, or it is not allowed; its message is for a person.
 */
export async function record() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true }).catch((error) => {
    const known = { NotAllowedError: "not-allowed", NotFoundError: "audio-capture" }[error.name];
    throw new Error(DEAF[known] ?? `The microphone does not work (${error.message}).`);
  });
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
