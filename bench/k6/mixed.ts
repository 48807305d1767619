// k6: all three endpoints in turn on one coupon, which must stay exact through any mix of them.
import { issueScript, locked, scripted, synchronous } from './load.ts';

const script = issueScript([synchronous, locked, scripted]);

export const options = script.options;
export const setup = script.setup;
export default script.iterate;
export const teardown = script.teardown;
export const handleSummary = script.summarize;
