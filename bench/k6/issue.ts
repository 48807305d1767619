// k6: `POST /v1/issue`, which answers once the row is in MySQL.
import { issueScript, synchronous } from './load.ts';

const script = issueScript([synchronous]);

export const options = script.options;
export const setup = script.setup;
export default script.iterate;
export const teardown = script.teardown;
export const handleSummary = script.summarize;
