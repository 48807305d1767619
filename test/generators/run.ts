// Entry: `bun run test:generators`. Says which languages cannot be tried here, then runs the tests of generated clients.
import { helpOn } from '../../tools/help.ts';
import { languages, missingFor } from './languages.ts';

helpOn(`bun run test:generators      clients generated from the OpenAPI document, for Java, Kotlin, Go and Python

They compile, issue a coupon on a server with private stores, and read the code of a refusal. The generators and libraries come from
Maven Central and PyPI. A language whose programs are not on PATH is skipped.`);

for (const language of languages) {
  const missing = missingFor(language);
  const state = missing.length === 0 ? 'is tried' : `is skipped, since these are not here: ${missing.join(', ')}`;
  console.log(`  ${language.name} ${state}`);
}
const child = Bun.spawn([process.execPath, 'tools/test.ts', 'test/generators/generated-clients.ts'], {
  cwd: `${import.meta.dirname}/../..`,
  stdio: ['inherit', 'inherit', 'inherit'],
});
process.exit(await child.exited);
