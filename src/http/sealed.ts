// sealed.ts -- JSON answers that are made with the header which the envelope would add, and known by a mark.
//
// For the hot path: to ask an answer of Bun for its headers, and to add one, costs more than to make it with all of them.

/** With the value `nosniff`, the header that every answer has: no browser may take it for something else than it says. */
export const NO_SNIFFING = 'x-content-type-options';

const mark = Symbol('sealed');

/**
 * A JSON answer to which the envelope has nothing to add.
 *
 * @param init its headers must hold a `content-type` of JSON and `NO_SNIFFING`
 */
export function sealedJson(text: string, init: ResponseInit): Response {
  const answer: Response & { [mark]?: true } = new Response(text, init);
  answer[mark] = true;
  return answer;
}

/** Whether it was made by `sealedJson`. */
export function isSealed(answer: Response): boolean {
  return mark in answer;
}
