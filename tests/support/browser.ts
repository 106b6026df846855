import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { createStudio } from "../../scripts/studio/server.ts";
import { serve, withLocalDefaults } from "../../scripts/local/stack.ts";
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

/** The whole system with its pages, and a browser to look at them. */
export interface BrowserLab {
  readonly hotline: Hotline;
  /** Without a trailing slash. */
  readonly url: string;
  /** A page of a new profile at `/#/<view>`, in which the microphone plays a test tone. */
  open(view: "phone" | "operator", options?: BrowserContextOptions): Promise<LabPage>;
  stop(): Promise<void>;
}

export interface LabPage {
  readonly page: Page;
  /** What the page complained about: errors and warnings of the console, exceptions, dialogs. */
  readonly complaints: string[];
  close(): Promise<void>;
}

export async function startBrowserLab(): Promise<BrowserLab> {
  const hotline = await startHotline();
  const dataDir = await Deno.makeTempDir({ prefix: "tradeline-browser-" });
  const studio = createStudio({
    apiUrl: hotline.url,
    databaseUrl: hotline.db.url,
    dataDir,
    env: withLocalDefaults({}, hotline.url, hotline.db.url),
  });
  const server = serve(0, (line) => hotline.log.push(line), (request) => studio.handle(request));
  let browser: Promise<Browser> | undefined;
  return {
    hotline,
    url: server.url,
    async open(view, options = {}) {
      browser ??= launch();
      const context = await (await browser).newContext({
        viewport: { width: 1280, height: 860 },
        permissions: ["microphone"],
        ...options,
      });
      context.setDefaultTimeout(15_000);
      await context.addInitScript(skipWhatCannotBeInterrupted);
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("dialog", (dialog) => {
        complaints.push(`dialog: ${dialog.message()}`);
        dialog.dismiss();
      });
      await page.goto(`${server.url}/#/${view}`);
      return { page, complaints, close: () => context.close() };
    },
    async stop() {
      await (await browser)?.close();
      await Promise.all([studio.close(), server.drain()]);
      await hotline.stop();
      await Deno.remove(dataDir, { recursive: true });
    },
  };
}

/** Runs in the page: a caller without patience for prompts that take neither keys nor words. */
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
      "--use-fake-ui-for-media-stream",
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
