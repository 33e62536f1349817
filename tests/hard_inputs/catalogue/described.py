"""Faults of site.toml."""

from tests.hard_inputs.faults import Place, fault


@fault("doctor", "Site folder must exist, got ")
def folder_that_does_not_exist(place: Place) -> list[object]:
    return [place.root / "nowhere"]


@fault("doctor", "Site folder must exist, got ")
def folder_that_is_a_file(place: Place) -> list[object]:
    return [place.site / "site.toml"]


@fault("doctor", "Site folder must exist, got ")
def folder_of_a_loop_of_links(place: Place) -> list[object]:
    (place.root / "loop").symlink_to(place.root / "loop")
    return [place.root / "loop"]


@fault("doctor", "Site folder must hold a site.toml, got none in ")
def site_toml_missing(place: Place) -> None:
    (place.site / "site.toml").unlink()


@fault("doctor", "Site folder must hold a site.toml, got none in ")
def site_toml_is_a_folder(place: Place) -> None:
    (place.site / "site.toml").unlink()
    (place.site / "site.toml").mkdir()


@fault("doctor", "Site folder must hold a site.toml, got none in ")
def site_toml_points_nowhere(place: Place) -> None:
    (place.site / "site.toml").unlink()
    (place.site / "site.toml").symlink_to("gone.toml")


@fault("doctor", "'name' must be a text, got nothing in site.toml.")
def site_toml_empty(place: Place) -> None:
    (place.site / "site.toml").write_bytes(b"")


@fault("doctor", "site.toml must be TOML, got ")
def site_toml_in_latin_1(place: Place) -> None:
    place.replace("site.toml", "lyon", "Orléans")
    path = place.site / "site.toml"
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))


@fault("doctor", "site.toml must be TOML, got ")
def site_toml_in_utf_16(place: Place) -> None:
    path = place.site / "site.toml"
    path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))


@fault("doctor", "site.toml must be TOML, got ")
def site_toml_with_null_bytes(place: Place) -> None:
    path = place.site / "site.toml"
    path.write_bytes(path.read_bytes() + b"\0\0\0\0")


@fault("doctor", "site.toml must be TOML, got ")
def text_without_quotes(place: Place) -> None:
    place.replace("site.toml", '"lyon"', "lyon")


@fault("doctor", "site.toml must be TOML, got ")
def key_twice(place: Place) -> None:
    place.replace("site.toml", "width = 3", "width = 3\nwidth = 4")


@fault("doctor", "Key in site.toml must be a known one, got 'encodr' in [features] in site.toml.")
def key_misspelt(place: Place) -> None:
    place.replace("site.toml", "encoder", "encodr")


@fault("doctor", "Key in site.toml must be a known one, got 'clincal' in site.toml.")
def section_misspelt(place: Place) -> None:
    place.replace("site.toml", "[clinical]", "[clincal]")


@fault("doctor", "must be a known one, got 'path' in [omics.rna] in site.toml.")
def table_whose_section_names_no_file(place: Place) -> None:
    place.replace("site.toml", "[omics]\nrna = ", "[omics.rna]\npath = ")


@fault("doctor", "features must be a section, got 'patch_features' in site.toml.")
def features_that_are_a_text(place: Place) -> None:
    (place.site / "site.toml").write_text('name = "lyon"\nfeatures = "patch_features"\n')


@fault("doctor", "'name' must be a text, got nothing in site.toml.")
def name_missing(place: Place) -> None:
    place.replace("site.toml", 'name = "lyon"', "")


@fault("doctor", "'name' must be a text, got 69 in site.toml.")
def name_that_is_a_number(place: Place) -> None:
    place.replace("site.toml", '"lyon"', "69")


@fault(
    "doctor",
    "name must be at most 64 printable characters without comma and slash, got 'lyon,",
)
def name_with_a_comma(place: Place) -> None:
    place.replace("site.toml", '"lyon"', '"lyon, south"')


@fault(
    "doctor",
    "name must be at most 64 printable characters without comma and slash, got",
)
def name_of_two_lines(place: Place) -> None:
    place.replace("site.toml", '"lyon"', '"lyon\\nsouth"')


@fault("doctor", "name must be at most 64 printable characters without comma and slash, got")
def name_that_fills_a_page(place: Place) -> None:
    place.replace("site.toml", '"lyon"', '"' + "lyon" * 500 + '"')


@fault("doctor", "role must be one of train, evaluate-only, got 'trains' in site.toml.")
def role_unknown(place: Place) -> None:
    place.replace("site.toml", 'name = "lyon"', 'name = "lyon"\nrole = "trains"')


@fault("doctor", "features.width must be a whole number >= 1, got '3' in site.toml.")
def width_that_is_a_text(place: Place) -> None:
    place.replace("site.toml", "width = 3", 'width = "3"')


@fault("doctor", "features.width must be a whole number >= 1, got True in site.toml.")
def width_that_is_true(place: Place) -> None:
    place.replace("site.toml", "width = 3", "width = true")


@fault("doctor", "features.width must be a whole number >= 1, got 0 in site.toml.")
def width_of_zero(place: Place) -> None:
    place.replace("site.toml", "width = 3", "width = 0")


@fault("doctor", "features.width must be a whole number >= 1, got 3.0 in site.toml.")
def width_that_is_not_whole(place: Place) -> None:
    place.replace("site.toml", "width = 3", "width = 3.0")


@fault("doctor", "'encoder' must be a text, got nothing in site.toml.")
def encoder_not_named(place: Place) -> None:
    place.replace("site.toml", 'encoder = "made-up-3"\n', "")


@fault("doctor", "features.missing must be a list of names, got 'Zq-103-a.h5' in site.toml.")
def missing_that_is_a_text(place: Place) -> None:
    place.replace("site.toml", "width = 3", 'width = 3\nmissing = "Zq-103-a.h5"')


@fault(
    "doctor",
    "`missing` in site.toml lists 'Zq-999-a.h5', which no row of the clinical table",
    warns=True,
)
def missing_lists_a_slide_of_nobody(place: Place) -> None:
    place.replace("site.toml", "width = 3", 'width = 3\nmissing = ["Zq-999-a.h5"]')


@fault("doctor", "clinical.time_unit must be one of days, months, years, got 'weeks' in site.toml.")
def time_unit_unknown(place: Place) -> None:
    place.replace("site.toml", "[clinical]", '[clinical]\ntime_unit = "weeks"')


@fault(
    "doctor",
    "[clinical] must give event_value and censored_value together, got one of them in",
)
def event_value_alone(place: Place) -> None:
    place.replace("site.toml", "[clinical]", '[clinical]\nevent = "event"\nevent_value = 1')


@fault("doctor", "event_value and censored_value must differ, got '1' and '1.0' in site.toml.")
def event_and_censored_value_alike(place: Place) -> None:
    place.replace(
        "site.toml", "[clinical]",
        '[clinical]\nevent = "event"\nevent_value = 1\ncensored_value = "1.0"',
    )  # fmt: skip


@fault(
    "doctor",
    "Clinical table must have the column `patiant` that site.toml names as the",
)
def column_named_that_is_not_there(place: Place) -> None:
    place.replace("site.toml", "[clinical]", '[clinical]\npatient = "patiant"')


@fault(
    "doctor", "Clinical table must have a column for each meaning, got `event` as time and status."
)
def one_column_named_twice_in_site_toml(place: Place) -> None:
    place.replace(
        "site.toml", "[clinical]",
        '[clinical]\ntime = "event"\ntime_unit = "days"',
    )  # fmt: skip


@fault(
    "doctor", "[omics] name must be a plain word that is not reserved, got 'clinical' in site.toml."
)
def omics_table_with_a_reserved_name(place: Place) -> None:
    place.replace("site.toml", "rna = ", "clinical = ")


@fault(
    "doctor", "[omics] name must be a plain word that is not reserved, got 'rna:seq' in site.toml."
)
def omics_table_with_a_colon(place: Place) -> None:
    place.replace("site.toml", "rna = ", '"rna:seq" = ')


@fault("doctor", "'rna' must be a text, got 3 in site.toml.")
def omics_file_that_is_a_number(place: Place) -> None:
    place.replace("site.toml", '"rna.csv"', "3")


@fault("doctor", "Omics table rna must exist, got no file ")
def file_name_with_a_null(place: Place) -> None:
    place.replace("site.toml", '"rna.csv"', '"rna\\u0000.csv"')


@fault("doctor", "Folder of patch features must exist, got ")
def folder_name_with_a_null(place: Place) -> None:
    place.replace("site.toml", '"patch_features"', '"patch\\u0000"')


@fault("doctor", "Clinical table must exist, got no file ")
def file_name_longer_than_a_disk_allows(place: Place) -> None:
    place.replace("site.toml", '"clinical.csv"', '"' + "c" * 5000 + '.csv"')


@fault("doctor", "Folder of patch features must exist, got ")
def feature_folder_missing(place: Place) -> None:
    place.replace("site.toml", '"patch_features"', '"patches"')


@fault("doctor", "Folder of patch features must exist, got ")
def feature_folder_that_is_a_file(place: Place) -> None:
    place.replace("site.toml", '"patch_features"', '"clinical.csv"')


@fault(
    "doctor",
    "features.format must be one of clam-h5, clam-pt, trident, stamp, hipt,",
)
def format_unknown(place: Place) -> None:
    place.replace("site.toml", "width = 3", 'width = 3\nformat = "clamm"')


@fault("doctor", "site.toml must be TOML, got ")
def site_toml_nested_without_end(place: Place) -> None:
    text = "name = " + "[" * 20_000 + "]" * 20_000 + "\n"
    (place.site / "site.toml").write_text(text, encoding="utf-8")
