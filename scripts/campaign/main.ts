/**
 * `deno task campaign`: calling out, from the terminal.
 *
 * @module
 */
import { attemptsOf } from "../../supabase/functions/_shared/campaigns/retry.ts";
import {
  command,
  type CommandContext,
  environment,
  FLAG,
  numberFrom,
  textThat,
  UsageError,
} from "../command.ts";
import { type Model, simulate } from "./simulate.ts";

const HELP = `Work out what a campaign needs, before it calls anybody.

  npx -y deno@2.9.6 task campaign simulate
  npx -y deno@2.9.6 task campaign simulate --calls-per-second 25 --max-concurrent 1000
  npx -y deno@2.9.6 task campaign simulate --mode predictive --people 30 --contacts 20000

The model decides with the dialler's own code: the hours of the United States, pacing, retries.

  --contacts <n>          those to be called (default 300000), over the four zones of the mainland
  --mode <text>           broadcast, to a flow (default); progressive or predictive, to people
  --people <n>            who talk (default 30); not in a broadcast
  --calls-per-second <n>  what the account may do (default 10)
  --max-concurrent <n>    calls at once (default 1000)
  --max-attempts <n>      dials of a contact (default 3)
  --per-day <n>           dials of a contact in 24 hours (default 1)
  --answered <part>       dials that a person answers, 0 to 1 (default 0.25)
  --machine <part>        ... a machine answers (default 0.25)
  --busy <part>           ... that are busy (default 0.05)
  --failed <part>         ... that fail (default 0.02)
  --ring-seconds <n>      how long it rings (default 25)
  --talk-seconds <n>      the mean of a talk, or of what the flow says (default 40)
  --wrap-seconds <n>      what a person does after a talk (default 15)
  --seed <n>              of chance (default 1): the same seed gives the same figures
  --json
  --help

Exit code 0: done. 2: an option is wrong.`;

const PART = numberFrom(0, false, 1);
const COUNT = numberFrom(1, true, 10_000_000);
const CONFIG = {
  allowPositionals: true,
  options: {
    contacts: COUNT,
    mode: textThat(
      "be broadcast, progressive or predictive",
      /^(broadcast|progressive|predictive)$/,
    ),
    people: numberFrom(1, true, 10_000),
    "calls-per-second": numberFrom(0.1, false, 1000),
    "max-concurrent": numberFrom(1, true, 100_000),
    "max-attempts": numberFrom(1, true, 10),
    "per-day": numberFrom(1, true, 10),
    answered: PART,
    machine: PART,
    busy: PART,
    failed: PART,
    "ring-seconds": numberFrom(5, false, 600),
    "talk-seconds": numberFrom(1, false, 14_400),
    "wrap-seconds": numberFrom(0, false, 3600),
    seed: numberFrom(0, true, 2 ** 32 - 1),
    json: FLAG,
  },
} as const;

/** @returns the exit code. */
export function main(args: string[], { print }: CommandContext): Promise<number> {
  return command(
    { task: "campaign", help: HELP, print },
    { args, ...CONFIG },
    ({ values, positionals }) => {
      if (positionals.length !== 1 || positionals[0] !== "simulate") {
        throw new UsageError("Say what to do: simulate");
      }
      const number = (name: Exclude<keyof typeof values, "mode" | "json">, unset: number) =>
        Number(values[name] ?? unset);
      const mode = (values.mode ?? "broadcast") as Model["mode"];
      if (mode === "broadcast" && values.people !== undefined) {
        throw new UsageError(
          "--people needs --mode progressive or predictive: nobody talks in a broadcast",
        );
      }
      const model: Model = {
        mode,
        contacts: number("contacts", 300_000),
        people: mode === "broadcast" ? 0 : number("people", 30),
        callsPerSecond: number("calls-per-second", 10),
        maxConcurrent: number("max-concurrent", 1000),
        attempts: attemptsOf({
          max: number("max-attempts", 3),
          per_day: number("per-day", 1),
          // The day's cap is what is asked for.
          per_week: 7 * number("per-day", 1),
        }),
        answered: number("answered", 0.25),
        machine: number("machine", 0.25),
        busy: number("busy", 0.05),
        failed: number("failed", 0.02),
        ringSec: number("ring-seconds", 25),
        talkSec: number("talk-seconds", 40),
        wrapSec: number("wrap-seconds", 15),
        // A Monday in New York.
        start: new Date("2026-06-01T04:00:00Z"),
        seed: number("seed", 1),
      };
      if (model.answered + model.machine + model.busy + model.failed > 1) {
        throw new UsageError(
          "--answered, --machine, --busy and --failed must be at most 1 together",
        );
      }
      const result = simulate(model);
      if (values.json) print(JSON.stringify(result, null, 2));
      else {
        const part = (value: number) => `${(value * 100).toFixed(1)} %`;
        for (
          const [what, value] of [
            ["days until the last call", (result.elapsedSec / 86_400).toFixed(1)],
            ["hours in which calls are made", (result.dialledSec / 3600).toFixed(1)],
            ["dials", result.dials],
            ["dials a second, on average", result.callsPerSecond.toFixed(1)],
            ["most calls at once", result.peakConcurrent],
            ["persons reached", `${result.reached}, ${part(result.reached / model.contacts)}`],
            ["machines that answered", result.machines],
            ...(mode === "broadcast" ? [] : [
              ["time that people are busy", part(result.busyPart)],
              ["answers that found nobody", `${result.abandoned}, ${part(result.abandonedPart)}`],
            ]),
          ]
        ) print(`${String(what).padEnd(32)}${value}`);
      }
      return Promise.resolve(0);
    },
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args, { env: environment(), print: console.log }));
