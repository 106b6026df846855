/** The whole stack on the database that `TRADELINE_TEST_DATABASE_URL` has cloned for it, until it is killed. */
import { startTestStack } from "../support/database.ts";

const stack = await startTestStack({ env: { MAX_CALLS_PER_MINUTE: "10000" } });
console.error(`${stack.url} ${stack.db.url}`);
