// k6: `POST /v1/issue-async`, which decides under a distributed lock.
import { issueScript, locked } from './load.ts';

const script = issueScript([locked]);

export const options = script.options;
export const setup = script.setup;
export default script.iterate;
export const teardown = script.teardown;
export const handleSummary = script.summarize;
