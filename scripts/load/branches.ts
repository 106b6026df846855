import type { Script } from "../phone/mod.ts";
import type { Random } from "../phone/random.ts";

/** What one caller does, and how the call must have ended for them (`call_logs.disposition`). */
export interface Branch {
  readonly name: string;
  readonly disposition: "connected" | "voicemail" | "abandoned";
  readonly script: Script;
}

/** How many of a hundred callers take each branch, and what they do there. */
const BRANCHES: readonly (readonly [
  share: number,
  name: string,
  disposition: Branch["disposition"],
  script: (seconds: (from: number, to: number) => number) => Script,
])[] = [
  [24, "key, connected", "connected", (seconds) => ({
    keys: ["1"],
    dial: { ringSeconds: seconds(2, 12), talkSeconds: seconds(15, 90) },
  })],
  [10, "spoken choice, connected", "connected", (seconds) => ({
    say: ["Support, please."],
    dial: { ringSeconds: seconds(2, 12), talkSeconds: seconds(15, 90) },
  })],
  [10, "refuses recording, connected", "connected", (seconds) => ({
    answers: [{ speech: "No recording." }, "2"],
    dial: { ringSeconds: seconds(2, 12), talkSeconds: seconds(15, 90) },
  })],
  [6, "hears the menu again, connected", "connected", (seconds) => ({
    keys: ["*", "1"],
    dial: { talkSeconds: seconds(15, 90) },
  })],
  [5, "wrong key first, connected", "connected", (seconds) => ({
    keys: ["7", "2"],
    dial: { talkSeconds: seconds(15, 90) },
  })],
  [5, "hangs up in the conversation", "connected", (seconds) => ({
    keys: ["1"],
    dial: { talkSeconds: seconds(15, 90), endedBy: "caller" },
  })],
  [10, "leaves a message", "voicemail", (seconds) => ({
    keys: ["9"],
    voicemail: { seconds: seconds(5, 60), end: "#", transcript: "Please call me back." },
  })],
  [10, "nobody answers, leaves a message", "voicemail", (seconds) => ({
    keys: ["1"],
    dial: "no-answer",
    voicemail: { seconds: seconds(5, 60), transcript: "It is urgent." },
  })],
  [5, "busy, leaves a message", "voicemail", (seconds) => ({
    keys: ["2"],
    dial: "busy",
    voicemail: { seconds: seconds(5, 60), end: "silence", transcription: "failed" },
  })],
  [5, "says nothing, leaves a message", "voicemail", (seconds) => ({
    voicemail: { seconds: seconds(5, 60) },
  })],
  [3, "busy, leaves nothing", "abandoned", () => ({
    keys: ["2"],
    dial: "busy",
    // At the beep: silence would be kept as a message.
    voicemail: { seconds: 0, end: "hangup" },
  })],
  [4, "hangs up at the menu", "abandoned", () => ({ hangupAt: "gather" })],
  [3, "hangs up while it rings", "abandoned", () => ({ keys: ["1"], hangupAt: "dial" })],
];

/** One caller, at random. */
export function anyBranch(random: Random): Branch {
  const all = BRANCHES.reduce((sum, [share]) => sum + share, 0);
  let left = random() * all;
  const chosen = BRANCHES.find(([share]) => (left -= share) < 0) ?? BRANCHES[0]!;
  const [, name, disposition, script] = chosen;
  const seconds = (from: number, to: number) => Math.round(from + random() * (to - from));
  return { name, disposition, script: script(seconds) };
}
