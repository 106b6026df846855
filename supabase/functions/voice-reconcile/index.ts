import { liveDeps } from "../_shared/deps.ts";
import { createHandler, reconcileDeps } from "./handler.ts";

Deno.serve(createHandler(reconcileDeps(liveDeps())));
