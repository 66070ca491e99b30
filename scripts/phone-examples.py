#!/usr/bin/env python3
"""Writes fixtures/values/phone_examples.tsv: what Google's libphonenumber makes of the example numbers of every region.

Google's own library is asked by its port to Python, which says the same and needs no compiler. Install the release whose
metadata the crate `rlibphonenumber` has (its README names it; today 9.0.42):

    python3 -m venv /tmp/phones && /tmp/phones/bin/pip install phonenumbers==9.0.42
    /tmp/phones/bin/python scripts/phone-examples.py > fixtures/values/phone_examples.tsv

One line for each region, kind of number (mobile, fixed line), form (national, international) and region of reading (AU, GB
and its own): the region of reading, the text, and what it is as E.164, or nothing where it is no valid number there.
"""

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

KINDS = [PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE]
FORMS = [PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL]


def e164(text, region):
    """The text as E.164, or nothing where it is not a valid number in the region."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def rows():
    """Every example in every form, as it is read in each region."""
    for own in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in KINDS:
            example = phonenumbers.example_number_for_type(own, kind)
            if example is None:
                continue
            for form in FORMS:
                text = phonenumbers.format_number(example, form)
                for region in sorted({"AU", "GB", own}):
                    yield region, text, e164(text, region)


def main():
    print(f"# phonenumbers {phonenumbers.__version__}, by scripts/phone-examples.py: region of reading, text, E.164")
    for row in sorted(set(rows())):
        print("\t".join(row))


if __name__ == "__main__":
    main()
