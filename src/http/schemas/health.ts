import { Type } from 'typebox'

export const Health = Type.Object({ status: Type.Literal('healthy') })

export const Liveness = Type.Object({ status: Type.Literal('live') })

export const Readiness = Type.Object({
  status: Type.Union([Type.Literal('ready'), Type.Literal('unavailable')]),
  components: Type.Optional(
    Type.Record(Type.String(), Type.Boolean(), {
      description: 'Told to callers on this machine and to those with METRICS_TOKEN',
    }),
  ),
})
