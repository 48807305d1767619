// drop-page.ts -- Renders the page of a drop: its title, its state and a skeleton are there before the script is, and tags for sharing it.
//
// `web/drop.html` is the template. What stands between two `%` is filled in here, escaped; the script finds what it needs in `data-page`.

import { createHash } from 'node:crypto';
import { ASSETS_PATH, type DropPage, type PageFile, pageHeaders, pageOf } from '../http/assets.ts';
import { problem } from '../http/problem.ts';
import { type DropDependencies, type DropView, readDrop } from '../issues/drop-routes.ts';
import { calendarFile } from './calendar.ts';
import { languageOf, moneyText, type PageLanguage, pageTexts, stateText } from './page-texts.ts';
import { themeSheet } from './theme.ts';

export interface DropPageSettings {
  /** Origins, with commas. */
  readonly FRAME_ANCESTORS?: string;
  readonly DROP_BRAND?: string;
  readonly DROP_LOGO_URL?: string;
  readonly DROP_PICTURE_URL?: string;
  readonly DROP_COLOR?: string;
  readonly DROP_NEXT_URL?: string;
  readonly DROP_MORE_URL?: string;
}

interface DropPageDependencies extends DropDependencies {
  readonly config: DropPageSettings;
  readonly pages: readonly PageFile[];
}

/**
 * The built files with those that the settings make, and what answers for the page.
 *
 * @throws Error when the page was not built
 */
export function dropPages(dependencies: DropPageDependencies): readonly [readonly PageFile[], DropPage] {
  const { config, pages } = dependencies;
  const theme = config.DROP_COLOR === undefined ? null : themeFile(config.DROP_COLOR);
  const template = new TextDecoder().decode(pageOf(pages, 'drop.html'));
  const headers = {
    ...pageHeaders({
      frameAncestors: config.FRAME_ANCESTORS?.split(',') ?? [],
      images: [config.DROP_LOGO_URL, config.DROP_PICTURE_URL].flatMap((url) => (url ? [new URL(url).origin] : [])),
    }),
    vary: 'Accept-Language',
  };
  const read = (couponId: string) =>
    /^[1-9]\d{0,15}$/.test(couponId) ? readDrop(dependencies, Number(couponId)) : Promise.resolve(null);
  const drop: DropPage = {
    async page(request, couponId) {
      // Without MySQL the script goes on asking.
      const found = await read(couponId).catch(() => undefined);
      const language = languageOf(request.headers.get('accept-language'));
      const html = render(template, { language, drop: found, config, theme: theme?.name });
      return new Response(html, {
        status: found === null ? 404 : 200,
        headers: { ...headers, 'content-language': language },
      });
    },
    async calendar(request, couponId) {
      const found = await read(couponId);
      if (!found) return problem('COUPON_NOT_EXIST');
      const { reminder } = pageTexts[languageOf(request.headers.get('accept-language'))];
      const url = request.url.replace(/\/start[.]ics.*$/, '');
      return new Response(calendarFile(found, url, reminder), {
        headers: {
          'content-type': 'text/calendar; charset=utf-8',
          'content-disposition': `attachment; filename="drop-${found.couponId}.ics"`,
          'cache-control': 'no-cache',
        },
      });
    },
  };
  return [theme ? [...pages, theme] : pages, drop];
}

function themeFile(color: string): PageFile {
  const bytes = new TextEncoder().encode(themeSheet(color));
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 8);
  return { name: `theme-${hash}.css`, bytes };
}

interface Rendering {
  readonly language: PageLanguage;
  /** Null: there is no such coupon; undefined: it is not known. */
  readonly drop: DropView | null | undefined;
  readonly config: DropPageSettings;
  readonly theme: string | undefined;
}

function render(template: string, { language, drop, config, theme }: Rendering): string {
  const texts = pageTexts[language];
  const { DROP_BRAND: brand, DROP_LOGO_URL: logo, DROP_PICTURE_URL: picture } = config;
  const amount = drop ? moneyText(language, drop.discountAmount, drop.currency) : '';
  const title = drop ? drop.title : drop === null ? texts.noCoupon : texts.coupon;
  const state = drop ? stateText(language, drop, Date.parse(drop.now)) : drop === null ? texts.noCoupon : texts.loading;
  const off = drop ? texts.off.replace('{amount}', amount) : '';
  const script = { drop: drop ?? null, brand, logo, picture, next: config.DROP_NEXT_URL, more: config.DROP_MORE_URL };
  const values: Readonly<Record<string, string>> = {
    lang: language,
    title: escapeHtml(title),
    off: escapeHtml(off),
    state: escapeHtml(state),
    slow: texts.slow,
    reload: texts.reload,
    noscript: texts.noScript,
    page: escapeHtml(JSON.stringify(script)),
    brand: brandOf(config),
    facts: drop ? '<div></div>'.repeat(rowsOf(drop)) : '',
    picture:
      picture === undefined ? '' : `<img class="picture" src="${escapeHtml(picture)}" alt="" width="440" height="248">`,
  };
  const tags = [
    ...(theme === undefined ? [] : [`<link rel="stylesheet" href="${ASSETS_PATH}${theme}">`]),
    meta('name', 'description', drop ? `${off}. ${state}` : state),
    ...(drop
      ? [
          meta('property', 'og:type', 'website'),
          meta('property', 'og:title', title),
          meta('property', 'og:description', `${off}. ${state}`),
          meta('property', 'og:locale', language === 'ko' ? 'ko_KR' : 'en_US'),
          ...(brand === undefined ? [] : [meta('property', 'og:site_name', brand)]),
          ...(picture === undefined ? [] : [meta('property', 'og:image', picture)]),
        ]
      : [meta('name', 'robots', 'noindex')]),
  ];
  return template
    .replaceAll(/%(\w+)%/g, (whole, name: string) => values[name] ?? whole)
    .replace('</head>', () => `${tags.join('')}</head>`);
}

/** Of the terms, as `web/drop/facts.tsx` draws them. */
function rowsOf({ minAvailableAmount, usableFrom, usableUntil, usableDays }: DropView): number {
  const use = usableDays === null ? Number(usableFrom !== null) + Number(usableUntil !== null) : 1;
  return 3 + Number(minAvailableAmount > 0) + use;
}

function brandOf({ DROP_BRAND: brand, DROP_LOGO_URL: logo }: DropPageSettings): string {
  const name = escapeHtml(brand ?? '');
  if (logo !== undefined) return `<p class="brand"><img src="${escapeHtml(logo)}" alt="${name}" height="32"></p>`;
  return name && `<p class="brand">${name}</p>`;
}

function meta(kind: 'name' | 'property', name: string, content: string): string {
  return `<meta ${kind}="${name}" content="${escapeHtml(content)}">`;
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
}
