// config.ts -- Settings of drizzle-kit: `bunx drizzle-kit generate --config drizzle/config.ts --name <what-it-does>`.

import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'mysql',
  schema: ['./drizzle/schema.ts', './drizzle/webhook-tables.ts'],
  out: './drizzle/migrations',
});
