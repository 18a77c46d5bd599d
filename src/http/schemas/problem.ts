import { Type } from 'typebox'

/** RFC 9457 problem document, with members of ours: `code` from a closed list, and the request's id. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'urn:strongroom:problem:<code>' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.Optional(Type.String()),
    code: Type.String({ description: 'Stable word of a closed list' }),
    request_id: Type.String(),
  },
  { description: 'Problem document (RFC 9457)', additionalProperties: true },
)
