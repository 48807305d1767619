// letter-content.tsx -- Who the users of a dead letter are, and its entry as it stands in Redis; read when somebody wants to see it.

import { useState } from 'preact/hooks';
import { Loaded } from '../loaded.tsx';
import { say } from '../say.ts';

export function LetterContent({ id }: { readonly id: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{say('letterContent')}</summary>
      {isOpen && (
        <Loaded name={`letter ${id}`} read={(client) => client.deadLetters.read(id)}>
          {({ value: { userIds, fields, entryId } }) => (
            <div class="letter-content">
              {userIds.length > 0 && (
                <>
                  <h3>{say('users')}</h3>
                  <ul class="users">
                    {userIds.map((user) => (
                      <li key={user}>{user}</li>
                    ))}
                  </ul>
                </>
              )}
              <h3>{say('rawEntry', { id: entryId })}</h3>
              {/* It may be wider than the page. */}
              <pre tabIndex={0}>{fields.map(({ name, value }) => `${name} ${value}`).join('\n')}</pre>
            </div>
          )}
        </Loaded>
      )}
    </details>
  );
}
