// k6: `POST /v2/issue-async`, which decides in one script.
import { issueScript, scripted } from './load.ts';

const script = issueScript([scripted]);

export const options = script.options;
export const setup = script.setup;
export default script.iterate;
export const teardown = script.teardown;
export const handleSummary = script.summarize;
