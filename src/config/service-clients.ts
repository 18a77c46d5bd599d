import {
  actingRoles,
  type ServiceClient,
  type ServiceClients,
  serviceActions,
} from '../people/service-clients.js'
import { jsonObject, type Kind, WrongValue } from './kinds.js'

const expected = `a JSON object {"client": {"roles": […], "actions": […]}}, roles being ${actingRoles.join(', ')}, actions ${serviceActions.join(', ')}`

/** JSON: a service's client → the roles in which it may act for a person, and what it may do then. */
export const serviceClients: Kind<ServiceClients> = jsonObject(expected, (value): ServiceClient => {
  if (typeof value !== 'object' || value === null) throw new WrongValue(expected)
  const { roles, actions, ...more } = value as Readonly<Record<string, unknown>>
  if (Object.keys(more).length > 0) throw new WrongValue(expected)
  return { roles: wordsOf(roles, actingRoles), actions: wordsOf(actions, serviceActions) }
})

function wordsOf<const W extends string>(value: unknown, words: readonly W[]): readonly W[] {
  if (!Array.isArray(value)) throw new WrongValue(expected)
  return value.map((each: unknown) => {
    const word = words.find((known) => known === each)
    if (word === undefined) throw new WrongValue(expected)
    return word
  })
}
