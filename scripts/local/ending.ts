// How our programs end without being asked: when they are killed, or when their parent has ended.

import { basename } from "@std/path/basename.js";

/** What runs when this process has ended, however that happens. */
export interface AtEnd {
  /** Runs it now, and only now; resolves when it is done. */
  run(): Promise<void>;
}

/**
 * Starts a shell that waits for the end of this process, SIGKILL included, and then runs a script. It is out of reach of
 * the terminal's Ctrl-C.
 *
 * @param args What the script finds in `$1`, `$2`...
 */
export function atEnd(script: string, ...args: string[]): AtEnd {
  // Its input ends when we close it, and when the kernel does, because we are gone.
  const child = new Deno.Command("sh", {
    args: ["-c", `read -r _\n${script}`, "sh", ...args],
    cwd: "/",
    stdin: "piped",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  child.unref();
  return {
    async run() {
      child.ref();
      await child.stdin.close();
      await child.status;
    },
  };
}

/** How often `abandoned` looks. A look reads a few files of /proc. Milliseconds. */
const LOOK_MS = 200;

/**
 * Resolves when one of the processes is gone that `npx -y deno@2.9.6 task <task>` put above this one. A signal to npx
 * ends it but does not get through to us: the shell that npx has in between does not pass it on.
 *
 * A process that was started in another way is never abandoned: a shell may well start it and leave.
 */
export async function abandoned(task: string): Promise<void> {
  const above = await startedBy(task);
  if (above.length === 0) return await new Promise(() => {});
  await new Promise<void>((resolve) => {
    const timer = setInterval(async () => {
      if (await areInLine(above)) return;
      clearInterval(timer);
      resolve();
    }, LOOK_MS);
    Deno.unrefTimer(timer);
  });
}

/** Whether each still is the parent of the one before, the first one ours. */
async function areInLine(pids: readonly number[]): Promise<boolean> {
  if (Deno.ppid !== pids[0]) return false;
  const parents = await Promise.all(pids.slice(0, -1).map(async (pid) => (await look(pid))?.ppid));
  return parents.every((parent, at) => parent === pids[at + 1]);
}

/** The processes above this one, from its parent up to the program that runs the task. */
async function startedBy(task: string): Promise<number[]> {
  const above: number[] = [];
  let known = 0;
  for (let pid = Deno.ppid; pid > 1;) {
    // deno-lint-ignore no-await-in-loop -- Each names the next.
    const found = await look(pid);
    if (found === undefined || !found.command.includes(`task ${task}`)) break;
    above.push(pid);
    const program = basename(found.command.split(" ")[0] ?? "");
    if (/^(node|npm|npx|deno|bunx?|pnpm|yarn)$/.test(program)) known = above.length;
    else if (!/^-?(ba|da|z|k|a)?sh$/.test(program)) break;
    pid = found.ppid;
  }
  // A shell on top is a person's, or a script's, that has typed the command.
  return above.slice(0, known);
}

/** Undefined where there is no such process. */
async function look(pid: number): Promise<{ ppid: number; command: string } | undefined> {
  if (Deno.build.os === "linux") {
    try {
      const [stat, command] = await Promise.all(
        ["stat", "cmdline"].map((name) => Deno.readTextFile(`/proc/${pid}/${name}`)),
      );
      // The name, in parentheses, may hold anything.
      const [, ppid] = stat!.slice(stat!.lastIndexOf(")") + 2).split(" ");
      return { ppid: Number(ppid), command: command!.replaceAll("\0", " ").trim() };
    } catch {
      return undefined;
    }
  }
  const ps = new Deno.Command("ps", { args: ["-o", "ppid=,command=", "-p", String(pid)] });
  const [, ppid, command] = /^\s*(\d+) (.*)/.exec(
    new TextDecoder().decode((await ps.output()).stdout),
  ) ?? [];
  return ppid === undefined ? undefined : { ppid: Number(ppid), command: command ?? "" };
}
