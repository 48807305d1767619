// fact.tsx -- A name and its value, in a list of facts.

import type { ComponentChildren } from 'preact';

export interface FactProps {
  readonly name: string;
  readonly value: ComponentChildren;
}

export function Fact({ name, value }: FactProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="number">{value}</dd>
    </div>
  );
}
