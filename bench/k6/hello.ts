// k6: `GET /hello`, the baseline: what Elysia and the network cost when no store is touched.
import { helloScript } from './load.ts';

const script = helloScript();

export const options = script.options;
export const setup = script.setup;
export default script.iterate;
export const handleSummary = script.summarize;
