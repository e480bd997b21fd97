"""Input taken at its word: unknown fields are refused, and JSON types are exactly those of the description."""

from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know, naming them, and values that DRF would turn into another type:
    0 is no text, "1" no number, 1 no truth. Decimals are texts: a float has lost digits already.
    """

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            wrong = {str(name): "This field is not known or not writable." for name in set(data) - set(self.fields)}
            wrong |= {name: said for name, field in self.fields.items() if (said := _mistake(field, data.get(name)))}
            if wrong:
                raise serializers.ValidationError({name: [wrong[name]] for name in sorted(wrong)})
        return super().to_internal_value(data)


class EmptyIn(StrictSerializer):
    """Nothing."""


def _mistake(field: Any, value: Any) -> str:
    """Return one sentence when a value has another type than its field, else ""."""
    if value is None:
        return ""  # whether null is allowed is the field's own business
    if isinstance(field, serializers.BooleanField):
        return "" if isinstance(value, bool) else "Must be true or false."
    if isinstance(field, serializers.IntegerField):
        return "" if isinstance(value, int) and not isinstance(value, bool) else "Must be a whole number."
    if isinstance(field, serializers.ListField | serializers.DictField):
        inner = value if isinstance(value, list) else value.values() if isinstance(value, dict) else []
        return next((mistake for item in inner if (mistake := _mistake(field.child, item))), "")
    if isinstance(field, serializers.BaseSerializer):
        return ""  # checks itself
    return "" if isinstance(value, str) else "Must be text."
