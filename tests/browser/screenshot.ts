/**
 * Writes docs/web-phone.png: the web phone during a call that a person has taken out of the queue. Start the stack first
 * (`deno task start`), publish and open the dental practice as docs/first-hour.md says, then run
 * `npx -y deno@2.9.6 run --node-modules-dir=auto -A tests/browser/screenshot.ts [http://127.0.0.1:54323]`.
 */
import { chromium } from "playwright-core";
import dental from "../../supabase/flows/dental.json" with { type: "json" };
import { chromiumPath, impatient } from "../support/browser.ts";

if (chromiumPath === undefined) {
  console.error("There is no Chromium here: install it, or set CHROMIUM to its path.");
  Deno.exit(1);
}
const browser = await chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 860 } });
  await impatient(page);
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  await page.goto(`${Deno.args[0] ?? "http://127.0.0.1:54323"}/#/phone`);
  for (const number of dental.groups.desk.members) {
    // deno-lint-ignore no-await-in-loop -- one form
    await page.getByLabel("Number of another telephone").fill(number);
    // deno-lint-ignore no-await-in-loop
    await button("Add this number").click();
  }
  await page.getByLabel("Your number").fill("+16045550142");
  await button("Call").click();
  await page.getByText("A key or words interrupt.").waitFor();
  await button("1").click();
  await page.getByText("To book or change an appointment").first().waitFor();
  await button("1").click();
  const telephone = page.locator('.telephone[data-state="rings"]');
  await telephone.getByRole("button", { name: "Answer" }).click();
  await page.locator(".heard").getByText("To accept it, press 1.").waitFor();
  await page.locator('.telephone[data-state="call"] [data-key="1"]').click();
  await page.getByText("Somebody takes the call.").waitFor();
  await page.evaluate('scrollTo(0, 0); document.querySelector("#webhooks").scrollTop = 0');
  await page.screenshot({ path: new URL("../../docs/web-phone.png", import.meta.url).pathname });
} finally {
  await browser.close();
}
