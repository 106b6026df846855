/**
 * Writes docs/web-phone.png: the web phone during a call. Start the stack first (`deno task start`), then run
 * `npx -y deno@2.9.6 run --node-modules-dir=auto -A tests/browser/screenshot.ts [http://127.0.0.1:54323]`.
 */
import { chromium } from "playwright-core";
import { chromiumPath, impatient } from "../support/browser.ts";

if (chromiumPath === undefined) {
  console.error("There is no Chromium here: install it, or set CHROMIUM to its path.");
  Deno.exit(1);
}
const browser = await chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 660 } });
  await impatient(page);
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  await page.goto(`${Deno.args[0] ?? "http://127.0.0.1:54323"}/#/phone`);
  await page.getByLabel("Your number").fill("+16045550142");
  await button("Call").click();
  await page.getByText("A key or words interrupt.").waitFor();
  await button("1").click();
  await button("Answer").click();
  await page.getByText("You are talking.").waitFor();
  await page.evaluate('scrollTo(0, 0); document.querySelector("#webhooks").scrollTop = 0');
  await page.screenshot({ path: new URL("../../docs/web-phone.png", import.meta.url).pathname });
} finally {
  await browser.close();
}
