import { type Script, Simulator, type SimulatorOptions } from "../../scripts/phone/mod.ts";
import { LOCAL_AUTH_TOKEN } from "../../scripts/local/stack.ts";
import type { CallRecord } from "../../scripts/phone/mod.ts";
import { startTestStack, type TestStack } from "./database.ts";

/** The whole system, and telephones to ring it with. */
export interface Hotline extends TestStack {
  /** One call to its end, with every callback delivered. `from` differs from call to call unless given. */
  ring(
    script?: Script,
    options?: { from?: string; simulator?: Partial<SimulatorOptions> },
  ): Promise<Rung>;
  simulator(options?: Partial<SimulatorOptions>): Simulator;
  row(callSid: string): Promise<CallLog>;
  /** What the functions wrote to the console, which is theirs until `stop`. */
  readonly console: string[];
}

/** A call that is over, and what is kept of it. */
export interface Rung {
  readonly record: CallRecord;
  readonly row: CallLog;
}

/** A row of `call_logs`. */
// deno-lint-ignore no-explicit-any
export type CallLog = Record<string, any>;

export async function startHotline(
  options?: Parameters<typeof startTestStack>[0],
): Promise<Hotline> {
  const stack = await startTestStack(options);
  const base = `${stack.url}/functions/v1`;
  let callers = 0;
  const lines: string[] = [];
  const own = { log: console.log, error: console.error };
  console.log = console.error = (line: string) => void lines.push(line);

  const simulator = (changes: Partial<SimulatorOptions> = {}) =>
    new Simulator({
      voiceUrl: `${base}/voice-frontdoor`,
      statusCallback: `${base}/voice-status#rc=4&rp=5xx,ct,rt`,
      fallbackUrl: `${base}/voice-voicemail`,
      authToken: LOCAL_AUTH_TOKEN,
      ...changes,
    });
  const row = async (callSid: string) => {
    const [found] = await stack.db.sql`select * from call_logs where call_sid = ${callSid}`;
    if (found === undefined) throw new Error(`Cannot find call ${callSid} in call_logs`);
    return found;
  };
  return {
    ...stack,
    async stop() {
      Object.assign(console, own);
      await stack.stop();
    },
    console: lines,
    simulator,
    row,
    async ring(script = {}, { from = `+1604555${1000 + callers++}`, simulator: changes } = {}) {
      const twilio = simulator(changes);
      const record = await twilio.call({ from, to: "+15874059000", script });
      await twilio.settle();
      return { record, row: await row(record.callSid) };
    },
  };
}
