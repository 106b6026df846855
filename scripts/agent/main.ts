/**
 * `deno task agent`: scripted callers against a line that an AI agent answers.
 *
 * @module
 */
import { ADDRESS, command, E164, environment, FLAG, projectOf, UsageError } from "../command.ts";
import { CommandFailure, request } from "../flow/api.ts";
import { LOCAL_AUTH_TOKEN } from "../defaults.ts";

const HELP = `Ring a line with scripted callers, and judge what was done: rows and dials, not prose.

  npx -y deno@2.9.6 task agent evaluate scripts/agent/callers.json

FILE has a line and its callers; those of scripts/agent/callers.json expect the flow scripts/agent/flow.json. The calls are simulated and signed with
TWILIO_AUTH_TOKEN: no telephone rings. Models are those of the flow, and cost what they cost. The result is kept, and
shown beside the last one of each other version of the flow.

  --line <number>  another line than the file's
  --url <url>      the project, with SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY in the environment or .env.
                   Default: this machine
  --json           print the results as JSON and nothing else
  --help

Exit code 0: all callers were served as expected. 1: some were not. 2: an option is wrong.
`;

const OPTIONS = { line: E164, url: ADDRESS, json: FLAG } as const;

async function run(
  [verb, path, ...rest]: readonly string[],
  options: { line?: string | undefined; url?: string | undefined; json: boolean },
): Promise<number> {
  if (verb !== "evaluate" || path === undefined || rest.length > 0) {
    throw new UsageError("agent takes: evaluate FILE");
  }
  const env = environment();
  const project = projectOf(env, options.url);
  const [{ evaluate, readEvaluation, scriptOf }, { Simulator }] = await Promise.all([
    import("./evaluate.ts"),
    import("../phone/mod.ts"),
  ]);
  const file = await Deno.readTextFile(path).then(readEvaluation).catch((error) => {
    const isRead = error instanceof SyntaxError;
    throw new CommandFailure(isRead ? `${path}: ${error.message}` : `Cannot read the file ${path}`);
  });
  const functions = `${project.url}/functions/v1`;
  const simulator = new Simulator({
    voiceUrl: `${functions}/voice-frontdoor`,
    statusCallback: `${functions}/voice-status`,
    authToken: env("TWILIO_AUTH_TOKEN") ?? LOCAL_AUTH_TOKEN,
    timestamps: true,
  });
  // deno-lint-ignore no-explicit-any
  const rows = async (path: string): Promise<any[]> => {
    const response = await request(`${project.url}/rest/v1/${path}`, project, {}, false);
    if (response.ok) return await response.json();
    throw new CommandFailure(`${project.url} answered ${response.status}`);
  };
  let callers = 0;
  const results = await evaluate(
    file,
    async (caller) => {
      const record = await simulator.call({
        // Ten calls a minute of one number are the most.
        from: `+1403555${String(1000 + callers++)}`,
        to: options.line ?? file.line,
        script: scriptOf(caller),
      });
      await simulator.settle();
      if (record.webhooks.some(({ status }) => status === 401 || status === 403)) {
        throw new CommandFailure(
          `${functions} refused the signature: set TWILIO_AUTH_TOKEN to the line's, in the environment or in .env`,
        );
      }
      if (callers === 1 && record.all("session").length === 0) {
        throw new CommandFailure(
          `No agent answers ${record.to}: publish a flow with one for it, or name another line by --line. After five talks that failed, an agent rests for five minutes`,
        );
      }
      return record;
    },
    async (callSid) => {
      const [[call], [talk], turns] = await Promise.all([
        rows(`call_logs?call_sid=eq.${callSid}&select=disposition`),
        rows(`agent_calls?call_sid=eq.${callSid}&select=outcome,flow_version`),
        rows(
          `agent_turns?call_sid=eq.${callSid}&select=kind,tool,planned_text,heard_text&order=id`,
        ),
      ]);
      return {
        outcome: talk?.outcome ?? null,
        disposition: call?.disposition ?? null,
        flow_version: talk?.flow_version ?? null,
        turns,
      };
    },
    ({ name, outcome, faults }) => {
      if (options.json) return;
      console.log(`${faults.length === 0 ? "ok    " : "FAULT "} ${name}  (${outcome ?? "none"})`);
      for (const fault of faults) console.log(`         ${fault}`);
    },
  );
  const good = results.filter(({ faults }) => faults.length === 0).length;
  const version = results.find(({ flowVersion }) => flowVersion !== null)?.flowVersion;
  const runs = version === undefined ? [] : await keep(project, {
    p_flow_version: version,
    p_file: path.slice(-200),
    p_callers: results.length,
    p_served: good,
    p_faults: results.filter(({ faults }) => faults.length > 0)
      .map(({ name, outcome, faults }) => ({ caller: name, outcome, faults })),
  });
  if (options.json) console.log(JSON.stringify({ results, runs }, null, 2));
  else {
    console.log(`\n${good} of ${results.length} callers were served as expected.`);
    for (const { version, served, callers, at } of runs) {
      console.log(
        `  version ${version}: ${served} of ${callers}, ${at.slice(0, 16).replace("T", " ")}`,
      );
    }
  }
  return good === results.length ? 0 : 1;
}

/** The last run of a version. */
interface Run {
  readonly version: number;
  readonly callers: number;
  readonly served: number;
  readonly at: string;
}

async function keep(project: ReturnType<typeof projectOf>, run: unknown): Promise<readonly Run[]> {
  const response = await request(`${project.url}/rest/v1/rpc/keep_agent_evaluation`, project, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(run),
  }, false);
  if (!response.ok) {
    throw new CommandFailure(`The result was not kept: ${project.url} answered ${response.status}`);
  }
  return await response.json();
}

Deno.exit(
  await command(
    { task: "agent", help: HELP },
    { args: Deno.args, options: OPTIONS, allowPositionals: true },
    async ({ values, positionals }) => {
      try {
        return await run(positionals, values);
      } catch (error) {
        if (!(error instanceof CommandFailure)) throw error;
        console.error(error.message);
        return 1;
      }
    },
  ),
);
