import { type Callee, personAt, type Telephone } from "./caller.ts";

/**
 * Who has the telephones that a campaign rings: of each hundred numbers in a row, by their last two digits, those below a
 * limit and not below the one before.
 */
export const CROWD: readonly (Callee & { readonly below: number; readonly name: string })[] = [
  { below: 45, name: "listens and presses 1 at each question", presses: "1", staysSeconds: 60 },
  { below: 50, name: "hangs up after 2 s", presses: "", staysSeconds: 2 },
  { below: 53, name: "presses 9 at each question", presses: "9", staysSeconds: 60 },
  { below: 56, name: "says nothing", presses: "", staysSeconds: 30, answeredBy: "unknown" },
  {
    below: 76,
    name: "a machine with a greeting of 6 s and a beep",
    presses: "",
    staysSeconds: 40,
    answeredBy: "machine_end_beep",
    detectedSeconds: 6,
  },
  { below: 91, name: "does not answer", outcome: "no-answer" },
  { below: 97, name: "is busy", outcome: "busy" },
  { below: 99, name: "cannot be reached", outcome: "failed" },
  { below: 100, name: "a fax", presses: "", staysSeconds: 20, answeredBy: "fax" },
];

/** The telephone of a number in the crowd. It is answered after 1 to 5 s, by the third digit from the end. */
export function crowd(number: string): Telephone {
  const place = Number(number.slice(-2));
  const { below: _, name: __, ...callee } = CROWD.find(({ below }) => place < below)!;
  const ringSeconds = 1 + Number(number.at(-3)) % 5;
  return personAt(callee.outcome === undefined ? { ...callee, ringSeconds } : callee);
}
