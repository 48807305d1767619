// error-fields.ts -- What may be logged of an error: enough to find the cause, never what a caller sent.
//
// Errors of database clients hold statements, parameters and duplicate keys, and so user ids. Of an error that carries a
// statement or a command, and of everything around it, only names and codes are logged.

interface ErrorFields {
  readonly name: string;
  readonly code?: string;
  readonly message?: string;
  readonly stack?: string;
}

const DEPTH_MAX = 5;

/**
 * The chain of an error and its causes, outermost first, at most five.
 *
 * @param error whatever was thrown
 */
export function errorFields(error: unknown): readonly ErrorFields[] {
  const chain = [error];
  for (let link = error; link instanceof Error && link.cause !== undefined && chain.length < DEPTH_MAX; link = link.cause) {
    chain.push(link.cause);
  }
  const personal = chain.some(carriesStatement);
  return chain.map((link) => fieldsOf(link, personal));
}

function carriesStatement(link: unknown): boolean {
  return typeof link === 'object' && link !== null && ['sql', 'sqlMessage', 'query', 'params', 'command'].some((name) => name in link);
}

function fieldsOf(link: unknown, personal: boolean): ErrorFields {
  if (!(link instanceof Error)) return { name: typeof link };
  const code = 'code' in link && typeof link.code === 'string' ? { code: link.code } : {};
  // The first lines of a stack repeat the message.
  const frames = (link.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const stack = frames.length > 0 ? { stack: frames.join('\n') } : {};
  return { name: link.name, ...code, ...(personal ? {} : { message: link.message }), ...stack };
}
