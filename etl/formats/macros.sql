-- Text of lines without the mark of UTF-8 before it and the NULs that a crash leaves behind it; and times as clients
-- and servers write them, in microseconds since 1970. Null of what is none.
--
-- DuckDB's trims read every character of a text, so that only those are asked that have something to lose.
--
-- Gives: unmarked, without_returns (a text without carriage returns at its end), in_range (what a timestamp can hold),
-- iso_us (ISO 8601), epoch_text_us (seconds with a fraction).

create or replace macro unmarked(said) as
case
    when starts_with(said, chr(65279)) or ends_with(said, chr(0)) then rtrim(ltrim(said, chr(65279)), chr(0))
    else said
end;

create or replace macro without_returns(said) as
case when ends_with(said, chr(13)) then rtrim(said, chr(13)) else said end;

create or replace macro in_range(us) as
case when us between -62135596800000000 and 253402300799999999 then us end;

create or replace macro iso_us(time_text) as
in_range(
    case
        when time_text[1] between '0' and '9' and length(time_text) > 10
            then try(epoch_us(try_cast(time_text as timestamptz)))
    end
);

create or replace macro epoch_text_us(time_text) as
try(cast(cast(try_cast(time_text as decimal(18, 6)) as decimal(28, 6)) * 1000000 as bigint));
