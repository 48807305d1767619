// coupon-button.tsx -- A button of a React page that issues a coupon to the signed-in user, and says only what is confirmed.

import { createCouponClient, type IssueResult } from 'coupon-issuing-client';
import { useState } from 'react';

interface CouponButtonProps {
  /** The address of the API, whose CORS_ORIGINS must have that of this page. */
  readonly url: string;
  readonly couponId: number;
  /** A fresh token of the user: it says who they are, so that the request need not. */
  readonly token: () => string | null;
}

export function CouponButton({ url, couponId, token }: CouponButtonProps) {
  const [text, setText] = useState('');
  const [isBusy, setIsBusy] = useState(false);
  const press = async () => {
    setIsBusy(true);
    setText('Asking…');
    const client = createCouponClient({ url, token });
    const result = await client.issue({ couponId }, { onRetry: () => setText('The network is slow; asking again…') });
    setText(textOf(result));
    setIsBusy(false);
  };
  return (
    <section>
      <button type="button" disabled={isBusy} onClick={() => void press()}>
        Get the coupon
      </button>
      <p role="status">{text}</p>
    </section>
  );
}

function textOf(result: IssueResult): string {
  switch (result.kind) {
    case 'issued':
    case 'already issued':
      return `It is yours: number ${result.sequence}.`;
    case 'sold out':
      return 'All coupons are gone.';
    case 'not open':
      return 'The coupon is not open now.';
    case 'not exist':
      return 'There is no such coupon.';
    case 'refused':
      return 'Please sign in again.';
    case 'ambiguous':
      // The developer reads why, such as CORS.
      if (result.hint !== undefined) console.warn(result.hint);
      return 'It is not known yet whether you have it. Please press again.';
  }
}
