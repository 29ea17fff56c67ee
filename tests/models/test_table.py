"""Tables of points from text files in all usual formats, Parquet, arrays and data frames."""

import numpy as np
import pandas as pd
import pytest

from bilad.models import ArgumentError, DatasetError, load_dataset

DATA, LABELS = [[5.0, 3.5], [4.5, 3.0], [-1.0, 0.25]], [1, 0, 1]


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file and return its path."""

    def to_file(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


def check(dataset, names=("a", "b"), data=DATA, labels=LABELS):
    assert dataset.feature_names == names
    assert dataset.data.tolist() == data
    assert dataset.data.dtype == np.float64
    assert not dataset.data.flags.writeable
    assert (None if dataset.labels is None else dataset.labels.tolist()) == labels


@pytest.mark.parametrize("title", ["label", "Labels", "CLASS", "target", "variety", " species "])
def test_a_label_column_by_its_name(write, title):
    text = f'"wing",{title},beak\n1.5,swift,2\n3,crow,4e1\n-5,swift,6\n'
    dataset = load_dataset(write(text, "birds.CSV"))
    assert dataset.name == "birds"
    check(dataset, ("wing", "beak"), [[1.5, 2], [3, 40], [-5, 6]], [1, 0, 1])


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " ", "   ", " \t", ", ", "; "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
def test_separators_and_line_ends(write, separator, end):
    rows = ["a b class", "5 3.5 v", "4.5 3.0 u", "-1 .25 v"]
    check(load_dataset(str(write(end.join(rows).replace(" ", separator) + end))))


@pytest.mark.parametrize("separator", [";", "\t", "|", " "])
def test_decimal_commas(write, separator):
    rows = ["a b class", "5,0 3,5 v", "4,5 3 u", "-1 ,25 v"]
    check(load_dataset(write("\n".join(rows).replace(" ", separator), "table.txt")))
    check(
        load_dataset(write("\n".join(rows[1:]).replace(" ", ";")), header=False, label=2),
        ("0", "1"),
    )


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32"],
)
def test_encodings(write, encoding):
    text = "Größe,b,class\n5,3.5,é\n4.5,3,e\n-1,.25,é\n"
    check(load_dataset(write(text.encode(encoding))), ("Größe", "b"))


def test_quotes_as_in_rfc_4180(write):
    text = (
        '"a, in ""cm""",b,"class"\n"5","3.5","u, big"\n4.5, "3.0",t\n-1,.25,"u, big"\n'
        '2,2,"two\nlines"\n3,3,"t"\n'
    )
    dataset = load_dataset(write(text))
    check(dataset, ('a, in "cm"', "b"), [*DATA, [2, 2], [3, 3]], [2, 0, 2, 1, 0])


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("title", ["", '""', "Unnamed: 0"])
def test_the_index_that_pandas_and_r_write_is_left_out(write, first, title):
    rows = ["a,b,class", "5,3.5,v", "4.5,3.0,u", "-1,.25,v"]
    indexed = [
        f"{title if k < 0 else chr(34) + str(k + first) + chr(34)},{row}"
        for k, row in enumerate(rows, -1)
    ]
    check(load_dataset(write("\n".join(indexed))))


def test_what_pandas_writes_is_read_again(tmp_path):
    frame = pd.DataFrame(DATA, columns=["a", "b"]).assign(variety=["v", "u", "v"])
    frame.to_csv(tmp_path / "t.csv")
    frame.to_csv(tmp_path / "t.tsv", sep="\t", index=False, encoding="utf-16")
    frame.to_csv(tmp_path / "t.txt", sep=";", decimal=",")
    frame.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.tsv", "t.txt", "t.parquet"):
        check(load_dataset(tmp_path / name))
    check(load_dataset(frame.set_index(pd.Index([7, 7, 9]))))
    check(load_dataset(pd.read_csv(tmp_path / "t.csv")))  # with "Unnamed: 0"


def test_every_digit_is_read(write):
    rng = np.random.default_rng(0)
    values = rng.normal(size=500) * 10.0 ** rng.integers(-300, 300, 500)
    text = "a\n" + "\n".join(map(repr, values.tolist()))
    assert load_dataset(write(text)).data[:, 0].tolist() == values.tolist()


def test_arrays(tmp_path):
    np.save(tmp_path / "t.npy", np.column_stack([DATA, [7, 3, 7]]))
    dataset = load_dataset(tmp_path / "t.npy")
    check(dataset, ("0", "1", "2"), [[5, 3.5, 7], [4.5, 3, 3], [-1, 0.25, 7]], None)
    check(load_dataset(tmp_path / "t.npy", label=-1), ("0", "1"))
    for bad in (np.zeros(3), np.array([[None]]), np.zeros((2, 2), complex), np.array([["1"]])):
        np.save(tmp_path / "bad.npy", bad, allow_pickle=True)
        with pytest.raises(DatasetError, match=r"bad\.npy: "):
            load_dataset(tmp_path / "bad.npy")


def test_a_file_without_a_header(write):
    path = write("5,3.5,2\n4.5,3,1\n-1,.25,2\n")
    with pytest.raises(DatasetError, match=r"row 1 contains the number 5, .*`header=False`"):
        load_dataset(path)
    check(
        load_dataset(path, header=False),
        ("0", "1", "2"),
        [[5, 3.5, 2], [4.5, 3, 1], [-1, 0.25, 2]],
        None,
    )
    for label in (2, -1, "2", np.int64(2)):
        check(load_dataset(path, header=False, label=label), ("0", "1"))
    check(load_dataset(path, header=True), ("5", "3.5", "2"), [[4.5, 3, 1], [-1, 0.25, 2]], None)


@pytest.mark.parametrize(
    "text", ["5,3.5,v\n4.5,3,u\n", "1990,1991,b\n1,2,3\n", "5;3,5\n1;2\n", "1e3\n2\n"]
)
def test_a_first_row_with_a_number_is_in_doubt(write, text):
    with pytest.raises(DatasetError, match="expected column names"):
        load_dataset(write(text))


def test_the_label_is_chosen(write):
    path = write("class,b,a\n1,v,2\n3,u,4\n")
    for label in ("b", 1, -2):
        check(load_dataset(path, label=label), ("class", "a"), [[1, 2], [3, 4]], [1, 0])
    for label in ("c", "B", 3, -4, 1.0, True, ["b"]):
        with pytest.raises(ArgumentError, match=r"^label: got .*'class', 'b', 'a'"):
            load_dataset(path, label=label)
    with pytest.raises(ArgumentError, match="^label: got 'a'"):
        load_dataset(write("a,a\n1,2\n"), label="a")


def test_labels_that_are_numbers_are_compared_as_numbers(write):
    text = 'a,class\n1,10\n2,"2"\n3,2.0\n4, 1 \n'
    assert load_dataset(write(text)).labels.tolist() == [2, 1, 1, 0]


def test_equal_names_are_kept(write):
    check(load_dataset(write("a,a\n1,2\n3,4\n")), ("a", "a"), [[1, 2], [3, 4]], None)


def test_labels_of_a_frame():
    for labels in (
        [True, False, True],
        pd.Categorical(["v", "u", "v"]),
        [2, 1, 2],
        ["v", "u", "v"],
    ):
        check(load_dataset(pd.DataFrame(DATA, columns=["a", "b"]).assign(label=labels)))
    with pytest.raises(DatasetError, match=r"^data frame: row 2, column 'label': got (None|nan)"):
        load_dataset(pd.DataFrame(DATA, columns=["a", "b"]).assign(label=["v", None, "v"]))


@pytest.mark.parametrize(
    ("column", "row"),
    [
        ([1.0, 2.0, np.nan], 3),
        ([1, np.inf, 2], 2),
        (["1", "2", "3"], 1),
        ([1.0, True, 2.0], 2),
        ([True, False, True], 1),
        ([1, 2, 1j], 1),
        (pd.to_datetime(["2020-01-01"] * 3), 1),
        (pd.array([1, None, 3], dtype="Int64"), 2),
        (pd.Categorical(["1", "2", "3"]), 1),
    ],
)
def test_columns_of_a_frame_that_are_not_real(tmp_path, column, row):
    with pytest.raises(
        DatasetError, match=rf"^data frame: row {row}, column 'c': got .*finite number"
    ):
        load_dataset(pd.DataFrame({"a": [1, 2, 3], "c": column}))


def test_a_missing_value_of_a_parquet_file(tmp_path):
    pd.DataFrame({"a": [1.0, None]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DatasetError, match=r"t.parquet: row 2, column 'a': got nan"):
        load_dataset(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "0 rows"),
        ("a,b\n1,x\n", "row 2, column 'b': got 'x', expected a finite number, or this column as"),
        ("a,b\n1,inf\n", "row 2, column 'b': got 'inf', expected a finite number$"),
        ("a,b\n1,NA\n", "row 2, column 'b': got 'NA', expected a finite number$"),
        ("a,b\n1,2\n\n1,\n", "row 4, column 'b': got '', expected a finite number"),
        ("a,b\n1,2\n3\n", "row 3, column 'b': got ''"),
        ("a,b\n1,2\n3,4,5\n", "line 3, saw 3"),
        ("a,b\n1,nan\n", "row 2, column 'b': got 'nan'"),
        ("a,b\n1,2\n-inf,2\n", "row 3, column 'a': got '-inf'"),
        ("a,b\n1,1e999\n", "row 2, column 'b': got '1e999'"),
        ("a,b\n1,1_000\n", "got '1_000'"),
        ("a,b\n1,0x10\n", "got '0x10'"),
        ("a,b\n1,True\n", "got 'True'"),
        (f"a,b\n1,{'x' * 10**6}\n", "got 'x{30,50}...x{30,50}', expected"),
        ('a,b\n1,"1,5"\n', "got '1,5'"),
        ("a;b\n1.5;1,5\n", "row 2, column 2: got '1,5', expected decimal commas or decimal points"),
        ("a;b\n1;1.234,5\n", "row 2, column 'b': got '1.234,5'"),
        ("a,,b\n1,2,3\n", "column 2 has no name"),
        (",a\n5,2\n9,3\n", "column 1 has no name, and does not count the rows"),
        (",a\nx,2\ny,3\n", "column 1 has no name"),
        ("a,class\n1,u\n2,\n", "row 3, column 'class': got '', expected a label"),
        ("a,class\n1,u\n2,NA\n", "row 3, column 'class': got 'NA', expected a label"),
        ("a,class\n1,2\n2,?\n", "row 3, column 'class': got '[?]', expected a label"),
        ("label,class\n1,2\n", "at most one"),
        ("label\nx\n", "0 columns beside the label"),
        ('a,b\n1,"2\n', "EOF inside string"),
        ("", "empty"),
        ("\ufeff\n\n", "empty"),
        (b"a,b\n\0\0\0\0", "table.csv"),
        (b"\xff\xfea", "table.csv"),
    ],
)  # fmt: skip
def test_text_that_is_no_table(write, text, message):
    path = write(text)
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).count(str(path)) == 1


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PAR1PAR1"])
def test_files_that_are_something_else(write, suffix, content):
    with pytest.raises(DatasetError, match=f"table{suffix}: "):
        load_dataset(write(content, "table" + suffix))


def test_wrong_arguments(write):
    path = write("a,b\n1,2\n")
    with pytest.raises(ArgumentError, match=r"^name: got .*none.csv.*expected a file that exists"):
        load_dataset(path.with_name("none.csv"))
    with pytest.raises(ArgumentError, match="^header: got 'no', expected True, False or None"):
        load_dataset(path, header="no")
    np.save(path.with_name("t.npy"), np.array(DATA))
    with pytest.raises(ArgumentError, match="^header: got False, expected nothing"):
        load_dataset(path.with_name("t.npy"), header=False)
    with pytest.raises(ArgumentError, match="^header: got True, expected nothing"):
        load_dataset(pd.DataFrame(DATA), header=True)


def test_a_table_saved_twice_with_its_index(write):
    """Each leading column without a name that counts the rows is an index."""
    found = load_dataset(write(",Unnamed: 0,a,b\n0,0,1,2\n1,1,3,4\n2,2,5,6\n"))
    assert found.feature_names == ("a", "b")
    with pytest.raises(DatasetError, match="column 1 has no name"):
        load_dataset(write("Unnamed: 0,a,b\n7,1,2\n3,3,4\n9,5,6\n"))


def test_a_name_that_is_too_long_for_a_file():
    with pytest.raises(ArgumentError, match=r"^name: .*expected a file that exists"):
        load_dataset("x" * 5000 + ".csv")


def test_a_damaged_array_is_named(tmp_path):
    """NumPy raises what its tokenizer does."""
    path = tmp_path / "t.npy"
    np.save(path, np.eye(2))
    path.write_bytes(path.read_bytes().replace(b"'shape'", b"'sha((("))
    with pytest.raises(DatasetError, match="t.npy: damaged: TokenError"):
        load_dataset(path)
