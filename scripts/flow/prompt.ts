import { createHash } from "node:crypto";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import { flowDatabase } from "../../supabase/functions/_shared/db/flows.ts";
import {
  promptAdvice,
  PromptAudioError,
  readPromptAudio,
} from "../../supabase/functions/_shared/flows/prompt_audio.ts";
import { projectOf, UsageError } from "../command.ts";
import { type Verb } from "./api.ts";
import { storeAudio } from "./storage.ts";

/** Checks a file of audio, stores it under its hash, and lets its owner's flows name it. */
export const prompt: Verb<{ org?: string; url?: string; json?: boolean }> = async (
  [file = ""],
  { org, url, json },
  { env, print },
) => {
  const project = projectOf(env, url);
  const bytes = await Deno.readFile(file).catch(() => {
    throw new UsageError(`FILE must be a file that can be read: "${file}"`);
  });
  try {
    const audio = readPromptAudio(bytes);
    const hash = createHash("sha256").update(bytes).digest("hex");
    await storeAudio(project, hash, audio.type, bytes);
    await flowDatabase(dataApi(project.url, project.key)).storePrompt({
      owner: org ?? null,
      hash,
      mime: audio.type,
      seconds: Math.max(0.01, Math.round(audio.seconds * 100) / 100),
      bytes: bytes.length,
      by: "operator",
    });
    if (json) {
      print(JSON.stringify({ hash, ...audio, bytes: bytes.length }, null, 2));
      return 0;
    }
    print(`${file}: ${audio.seconds.toFixed(1)} s, ${Math.ceil(bytes.length / 1000)} kB, stored.`);
    for (const advice of promptAdvice(audio)) print(`Advice: ${advice}.`);
    print(`In a flow: {"audio": "${hash}", "text": "what it says, should the file be missing"}`);
    print(hash);
    return 0;
  } catch (error) {
    if (!(error instanceof PromptAudioError)) throw error;
    print(`${file} ${error.message}.`);
    return 1;
  }
};
