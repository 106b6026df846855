import { readSettings } from "../_shared/settings.ts";
import { contactDeps, createHandler } from "./handler.ts";

Deno.serve(createHandler(contactDeps(readSettings((name) => Deno.env.get(name)))));
