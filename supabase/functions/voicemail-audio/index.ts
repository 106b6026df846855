import { readSettings } from "../_shared/settings.ts";
import { audioDeps, createHandler } from "./handler.ts";

Deno.serve(createHandler(audioDeps(readSettings((name) => Deno.env.get(name)))));
