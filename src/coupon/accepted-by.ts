// accepted-by.ts -- Which of the three endpoints accepted an issue: as rows, entries, archives and answers name it.

import { couponIssues } from '../../drizzle/schema.ts';

export const endpoints = couponIssues.endpoint.enumValues;
export type Endpoint = (typeof endpoints)[number];

/** Its number, from 1, as entries have it; MySQL counts the words of the column in the same way. */
export function endpointNumber(endpoint: Endpoint): number {
  return endpoints.indexOf(endpoint) + 1;
}

/** The endpoint of a number; undefined for that of another release. */
export function endpointOf(number: string | undefined): Endpoint | undefined {
  return endpoints[Number(number) - 1];
}
