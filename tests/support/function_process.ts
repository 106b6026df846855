/** A function as a process of its own, with nothing in its environment but its settings. */
export function runFunction(name: string, env: Record<string, string>): Deno.ChildProcess {
  const own = [
    "PATH",
    "HOME",
    "USERPROFILE",
    "LOCALAPPDATA",
    "XDG_CACHE_HOME",
    "DENO_DIR",
    "TMPDIR",
  ];
  const inherited = own.flatMap((key) => {
    const value = Deno.env.get(key);
    return value === undefined ? [] : [[key, value]];
  });
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL(`../../supabase/functions/${name}/index.ts`, import.meta.url).href],
    cwd: new URL("../..", import.meta.url),
    clearEnv: true,
    env: {
      ...Object.fromEntries(inherited),
      ...env,
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
      DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0",
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Where a process says that it listens. @throws with its output when it ends, or is still silent after a minute. */
export async function addressOf(child: Deno.ChildProcess): Promise<string> {
  let output = "";
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const watch = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      const address = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0];
      if (address !== undefined) resolve(address);
    }
  };
  const fail = (why: string) => reject(new Error(`Cannot ask a process that ${why}: ${output}`));
  Promise.all([watch(child.stdout), watch(child.stderr)]).then(() => fail("ended"));
  const deadline = setTimeout(() => fail("does not say where it listens"), 60_000);
  return await promise.finally(() => clearTimeout(deadline));
}
