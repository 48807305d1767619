// menu-badge.tsx -- How many dead letters there are, in the menu: nobody else tells an operator who is looking at something else.

import { useEffect, useState } from 'preact/hooks';
import { wholeNumber } from '../../shared/language.ts';
import { say } from '../say.ts';
import { asOperator } from '../session.ts';

const EVERY_MS = 15_000;

export function MenuBadge() {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const look = async () => {
      if (document.hidden) return;
      const result = await asOperator((client) => client.load());
      if (result.kind === 'done') setCount(result.value.deadLetters);
    };
    const refresh = () => void look();
    refresh();
    const timer = setInterval(refresh, EVERY_MS);
    addEventListener('hashchange', refresh);
    return () => {
      clearInterval(timer);
      removeEventListener('hashchange', refresh);
    };
  }, []);
  if (count === 0) return null;
  return (
    <span class="count" title={say('deadCount', { count })}>
      {wholeNumber(count)}
    </span>
  );
}
