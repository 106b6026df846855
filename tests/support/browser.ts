import { assertEquals } from "@std/assert/equals.js";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { Recordings } from "../../scripts/console/recordings.ts";
import { createConsole } from "../../scripts/console/server.ts";
import {
  LOCAL_ACCOUNT_SID,
  LOCAL_AUTH_TOKEN,
  serve,
  withLocalDefaults,
} from "../../scripts/local/stack.ts";
import { ensureUser } from "../../scripts/local/auth_api.ts";
import { startSchedule } from "../../scripts/local/schedule.ts";
import { startTwilioApi } from "../../scripts/local/twilio_api.ts";
import { type Hotline, startHotline } from "./hotline.ts";

/** Where distributions put it; `CHROMIUM` names another. */
const PLACES = [
  Deno.env.get("CHROMIUM"),
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** A real Chromium, where this machine has one. */
export const chromiumPath: string | undefined = PLACES.find((path) => {
  try {
    return path !== undefined && Deno.statSync(path).isFile;
  } catch {
    return false;
  }
});

/** Of everybody who signs in here. */
export const PASSWORD = "correct horse";

/** The whole system with its pages, and a browser to look at them. */
export interface BrowserLab {
  readonly hotline: Hotline;
  /** Without a trailing slash. */
  readonly url: string;
  /** A page of a new profile: the web phone, in which the microphone plays a test tone, or the console. */
  open(view: "phone" | "console", options?: OpenOptions): Promise<LabPage>;
  /** Where the switchboard keeps recordings. */
  readonly dataDir: string;
  stop(): Promise<void>;
}

export interface OpenOptions extends BrowserContextOptions {
  /**
   * Runs before the page loads. Default: a caller without patience, who skips prompts that take
   * neither keys nor words.
   */
  readonly prepare?: (page: Page) => Promise<unknown>;
}

export interface LabPage {
  readonly page: Page;
  /** What the page complained about: errors and warnings of the console, exceptions, dialogs. */
  readonly complaints: string[];
  /** What the page may complain about, because the test makes it. */
  expect(complaint: RegExp): void;
  close(): Promise<void>;
}

/**
 * Tests of one file on one lab; ignored where there is no Chromium. A test's pages must have nothing
 * to complain about when it is over.
 */
export function browserTests(options: LabOptions = {}) {
  let lab: BrowserLab | undefined;
  Deno.test.beforeAll(async () => {
    if (chromiumPath) lab = await startBrowserLab(options);
  });
  Deno.test.afterAll(() => lab?.stop());
  let callers = 0;
  return {
    lab: () => lab!,
    /** A number that no other test of the file calls from, as the page shows it and as the database has it. */
    caller() {
      const line = String(1000 + callers++);
      return { e164: `+1604555${line}`, shown: `+1 604 555 ${line}` };
    },
    /** Signs in as a new member of the main account. */
    async signIn(page: Page, role = "owner") {
      const email = `${crypto.randomUUID()}@example.com`;
      const { sql } = lab!.hotline.db;
      const id = await ensureUser(sql, email, PASSWORD);
      const [member] = await sql`insert into members (user_id, email, role, joined_at)
        values (${id}, ${email}, ${role}, now()) returning id`;
      await page.getByLabel("E-mail").fill(email);
      await page.getByLabel("Password").fill(PASSWORD);
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      await page.getByRole("heading", { level: 1, name: "Today" }).waitFor();
      return { email, id, member: member!["id"] as string };
    },
    test(name: string, run: (open: BrowserLab["open"]) => Promise<void>): void {
      Deno.test({
        name,
        ignore: chromiumPath === undefined,
        // The browser and its connection are the whole file's.
        sanitizeOps: false,
        sanitizeResources: false,
        async fn() {
          const opened: LabPage[] = [];
          try {
            await run(async (view, options) => {
              const page = await lab!.open(view, options);
              opened.push(page);
              return page;
            });
            assertEquals(opened.flatMap(({ complaints }) => complaints), []);
          } finally {
            await Promise.all(opened.map((each) => each.close()));
          }
        },
      });
    },
  };
}

export interface LabOptions {
  /** What the functions answer, on its way to the phone. */
  readonly answer?: (body: string) => string;
  /** Twilio's REST API is there, and rings the page's telephones. Default false. */
  readonly twilio?: boolean;
}

export async function startBrowserLab({ answer, twilio = false }: LabOptions): Promise<BrowserLab> {
  const dataDir = await Deno.makeTempDir({ prefix: "tradeline-browser-" });
  const rest = twilio
    ? startTwilioApi({
      accountSid: LOCAL_ACCOUNT_SID,
      authToken: LOCAL_AUTH_TOKEN,
      recordings: new Recordings(`${dataDir}/recordings`),
    })
    : undefined;
  const token = crypto.randomUUID();
  // Known once the pages are served.
  const site: { url?: string } = {};
  const hotline = await startHotline({
    siteUrl: () => site.url,
    ...(rest && {
      env: {
        TWILIO_ACCOUNT_SID: LOCAL_ACCOUNT_SID,
        TWILIO_API_URL: rest.url,
        SCHEDULER_TOKEN: token,
      },
    }),
  });
  const log = (line: string) => hotline.log.push(line);
  const dialler = [{ name: "dial-worker", everyMs: 1000 }];
  const endSchedule = rest && startSchedule(dialler, `${hotline.url}/functions/v1`, token, log);
  const between = answer && serve(0, log, async (request) => {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    const body = method === "GET" ? null : await request.arrayBuffer();
    const response = await fetch(hotline.url + pathname + search, { method, headers, body });
    // An answer that may have no body, as a preflight's, takes none.
    const answered = new Response(answer(await response.text()) || null, response);
    answered.headers.delete("content-length");
    return answered;
  }, { mayAsk: (_, origin) => origin === site.url });
  const console = createConsole({
    apiUrl: between?.url ?? hotline.url,
    databaseUrl: hotline.db.url,
    dataDir,
    connect: rest?.connectAll,
    env: {
      ...withLocalDefaults({}, hotline.url, hotline.db.url),
      PUBLIC_FUNCTIONS_URL: `${hotline.url}/functions/v1`,
    },
  });
  const server = serve(0, log, (request) => console.handle(request));
  site.url = server.url;
  let browser: Promise<Browser> | undefined;
  return {
    hotline,
    dataDir,
    url: server.url,
    async open(view, { prepare = impatient, ...options } = {}) {
      browser ??= launch();
      const context = await (await browser).newContext({
        viewport: { width: 1280, height: 860 },
        // Whatever moves is drawn sixty times a second, here by the processor.
        reducedMotion: "reduce",
        permissions: ["microphone"],
        ...options,
      });
      context.setDefaultTimeout(15_000);
      const page = await context.newPage();
      await prepare(page);
      const complaints: string[] = [];
      const expected: RegExp[] = [];
      const complain = (words: string) => {
        if (!expected.some((each) => each.test(words))) complaints.push(words);
      };
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complain(message.text());
      });
      page.on("pageerror", (error) => complain(String(error)));
      page.on("dialog", (dialog) => {
        complain(`dialog: ${dialog.message()}`);
        dialog.dismiss();
      });
      await page.goto(`${server.url}/${view === "console" ? "console/" : ""}`);
      return {
        page,
        complaints,
        expect: (complaint) => expected.push(complaint),
        close: () => context.close(),
      };
    },
    async stop() {
      await (await browser)?.close();
      await Promise.all([console.close(), server.drain(), between?.drain()]);
      await endSchedule?.();
      await hotline.stop();
      await rest?.stop();
      await Deno.remove(dataDir, { recursive: true });
    },
  };
}

/** Skips prompts that take neither keys nor words. */
export const impatient = (page: Page) => page.addInitScript(skipWhatCannotBeInterrupted);

/** Runs in the page. */
function skipWhatCannotBeInterrupted(): void {
  // deno-lint-ignore no-explicit-any -- the page's
  const { document } = globalThis as any;
  setInterval(() => {
    if (!document.querySelector("#display-hint")?.textContent.startsWith("Keys are not")) return;
    document.querySelector("#prompt button")?.click();
  }, 50);
}

function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath!,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--use-fake-device-for-media-stream",
      "--autoplay-policy=no-user-gesture-required",
    ],
  });
}

/** What axe finds that is serious or critical, a line each. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return await page.evaluate(async () => {
    // deno-lint-ignore no-explicit-any -- a global of the page
    const { violations } = await (globalThis as any).axe.run();
    return violations
      .filter(({ impact }: { impact: string }) => ["serious", "critical"].includes(impact))
      .map(({ id, nodes }: { id: string; nodes: { html: string }[] }) =>
        `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`
      );
  });
}
