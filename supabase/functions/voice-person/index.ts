import { liveDeps } from "../_shared/deps.ts";
import { personDeps } from "./deps.ts";
import { createHandler } from "./handler.ts";

Deno.serve(createHandler(personDeps(liveDeps())));
