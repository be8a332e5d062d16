// Must never: put a part of a key into a log line or an error.
#include <fulmar/admin/key_store.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/base/unique_fd.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

namespace fulmar::admin {

namespace fs = std::filesystem;
using security::key_state;
using security::secret;

namespace {

constexpr std::string_view until_word = "until=";
constexpr std::int64_t latest_s = 4'102'444'800;  // 2100: the clock counts in nanoseconds

std::string_view next_key_line(std::string_view& rest) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\t'))
        line.remove_suffix(1);
    return line;
}

result<key_store::clock::time_point> read_until(std::string_view text) {
    std::int64_t seconds = 0;
    const bool begins = text.starts_with(until_word);
    if (begins) text.remove_prefix(until_word.size());
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (!begins || failure != std::errc{} || end != text.data() + text.size() || seconds < 0 ||
        seconds > latest_s)
        return fail(errc::invalid_argument, "behind a key comes \"until=\" and a time, or nothing");
    return key_store::clock::time_point(std::chrono::seconds(seconds));
}

using one_key = std::variant<security::dhchap_key, security::tls_key>;

result<one_key> parse_key_text(std::string_view text) {
    if (text.starts_with(security::tls_key_prefix)) {
        FULMAR_TRY(auto key, security::parse_tls_key(text));
        return one_key(std::move(key));
    }
    FULMAR_TRY(auto key, security::parse_dhchap_key(text));
    return one_key(std::move(key));
}

secret text_of_key(const one_key& key) noexcept {
    if (const auto* tls = std::get_if<security::tls_key>(&key)) return write_tls_key(*tls);
    return write_dhchap_key(std::get<security::dhchap_key>(key));
}

one_key clone_key(const one_key& key) noexcept {
    if (const auto* tls = std::get_if<security::tls_key>(&key)) return tls->clone();
    return std::get<security::dhchap_key>(key).clone();
}

tl::unexpected<error> not_ours(const std::string& name) {
    return fail(errc::conflict, fmt::format("the key {} is a credential of systemd", name), {},
                "change it where the service's unit takes it from");
}

}  // namespace

key_store::key_store(std::string folder, std::string credentials)
    : folder_(std::move(folder)), credentials_(std::move(credentials)) {}

key_store::~key_store() = default;

std::string key_store::path_of(std::string_view name) const {
    return fmt::format("{}/{}", folder_, name);
}

result<std::vector<key_store::held>> key_store::parse(std::string_view text) {
    std::vector<held> keys;
    while (!text.empty()) {
        const std::string_view line = next_key_line(text);
        if (line.empty() || line.front() == '#') continue;
        if (keys.size() == limits::keys_at_a_time)
            return fail(errc::limit_reached,
                        fmt::format("has more than {} keys", limits::keys_at_a_time));
        const std::size_t blank = std::min(line.find(' '), line.size());
        FULMAR_TRY(auto key, parse_key_text(line.substr(0, blank)));
        if (!keys.empty() && keys.front().key.index() != key.index())
            return fail(errc::invalid_argument, "has keys of two kinds");
        held one{.key = std::move(key)};
        if (blank != line.size()) {
            if (keys.empty())
                return fail(errc::invalid_argument,
                            "the first key is the present one: it has no "
                            "\"until=\"");
            FULMAR_TRY(one.until, read_until(line.substr(blank + 1)));
        }
        keys.push_back(std::move(one));
    }
    if (keys.empty()) return fail(errc::invalid_argument, "has no key in it");
    return keys;
}

result<std::vector<key_store::held>> key_store::read(const std::string& path, bool credential) {
    const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) return fail_errno("cannot be opened", errno);
    struct stat about {};
    if (::fstat(fd.get(), &about) != 0) return fail_errno("cannot be looked at", errno);
    if (!S_ISREG(about.st_mode)) return fail(errc::invalid_argument, "is no regular file");
    if (about.st_uid != ::geteuid() && about.st_uid != 0)
        return fail(errc::permission_denied, "belongs to another user", {},
                    "give it to the user that fulmard runs as");
    // systemd lets its service read a credential by an access list, which shows as the group's.
    if ((about.st_mode & (credential ? 07u : 077u)) != 0)
        return fail(errc::permission_denied, "can be read by others", {}, "chmod 600");
    if (about.st_size > static_cast<off_t>(limits::max_key_file_bytes))
        return fail(errc::invalid_argument, "is longer than keys can be");
    secret text(limits::max_key_file_bytes);
    const ssize_t got = ::read(fd.get(), text.fill().data(), text.size());
    if (got < 0 || text.empty()) return fail_errno("cannot be read", got < 0 ? errno : ENOMEM);
    return parse(text.reveal_text().substr(0, static_cast<std::size_t>(got)));
}

bool key_store::scan(const std::string& folder, bool credential, entries& into) const {
    std::error_code failure;
    fs::directory_iterator at(folder, failure);
    for (; !failure && at != fs::directory_iterator(); at.increment(failure)) {
        const std::string name = at->path().filename().string();
        if (!security::is_key_name(name) || into.contains(name)) continue;
        if (into.size() == limits::max_keys) {
            log::error("{} has more than {} keys: the rest is not known", folder, limits::max_keys);
            break;
        }
        auto keys = read(at->path().string(), credential);
        entry one;
        one.credential = credential;
        if (keys)
            one.keys = std::move(*keys);
        else if (credential && !is_known_credential(name))
            continue;  // whatever else the service is given
        else
            one.why = keys.error().text();
        into.emplace(name, std::move(one));
    }
    if (failure && failure != std::errc::no_such_file_or_directory)
        log::error("keys in {}: {}", folder, failure.message());
    return !failure || failure == std::errc::no_such_file_or_directory;
}

bool key_store::is_known_credential(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(name);
    return at != entries_.end() && at->second.credential;
}

void key_store::load() {
    entries all;
    const bool credentials_read = credentials_.empty() || scan(credentials_, true, all);
    const bool folder_read = scan(folder_, false, all);
    const std::lock_guard lock(mutex_);
    keep_former(all, credentials_read, folder_read);
    for (const auto& [name, one] : all)
        if (!one.why.empty())
            log::error("key {}: {}; {}", name, one.why,
                       one.keys.empty() ? "hosts that need it cannot connect"
                                        : "the one that was read before counts");
    entries_.swap(all);
}

// A key that cannot be read now is what it was: who wants it gone removes it, or its file.
void key_store::keep_former(entries& into, bool credentials_read, bool folder_read) {
    for (auto& [name, former] : entries_) {
        if (former.keys.empty()) continue;
        const auto now = into.find(name);
        const bool was_read = former.credential ? credentials_read : folder_read;
        if (now == into.end() && was_read) continue;
        if (now != into.end() && !now->second.keys.empty()) continue;
        entry kept;
        kept.keys = std::move(former.keys);
        kept.credential = former.credential;
        kept.why = now != into.end() ? now->second.why : "the folder of it cannot be read";
        into.insert_or_assign(name, std::move(kept));
    }
}

secret key_store::write(const std::vector<held>& keys) {
    secret text(limits::max_key_file_bytes);
    std::size_t end = 0;
    const auto put = [&](std::string_view what) {
        std::copy(what.begin(), what.end(), reinterpret_cast<char*>(text.fill().data()) + end);
        end += what.size();
    };
    for (const held& one : keys) {
        put(text_of_key(one.key).reveal_text());
        if (one.until != clock::time_point::max())
            put(fmt::format(
                " {}{}", until_word,
                std::chrono::duration_cast<std::chrono::seconds>(one.until.time_since_epoch())
                    .count()));
        put("\n");
    }
    text.shrink(end);
    return text;
}

// The name shows the old keys or the new ones, whatever happens meanwhile.
result<void> key_store::store(const std::string& name, std::string_view text) const {
    if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST)
        return fail_errno("cannot make the folder of the keys", errno, folder_);
    const std::string path = path_of(name);
    const std::string fresh = fmt::format("{}/.{}.new", folder_, name);
    ::unlink(fresh.c_str());
    const unique_fd fd(
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return fail_errno("cannot write the key", errno, path);
    const bool written =
        ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        ::fsync(fd.get()) == 0 && std::rename(fresh.c_str(), path.c_str()) == 0;
    if (!written) {
        const int why = errno;
        ::unlink(fresh.c_str());
        return fail_errno("cannot write the key", why, path);
    }
    const unique_fd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::fsync(folder.get()) != 0)
        return fail_errno("cannot make the key durable", errno, path);
    return {};
}

result<void> key_store::set(const std::string& name, std::string_view text,
                            std::chrono::seconds grace) {
    if (!security::is_key_name(name))
        return fail(errc::invalid_argument, "is no name of a key", "/name",
                    "letters, digits, '.', '_' and '-', at most 64");
    auto key = parse_key_text(text);
    if (!key) {
        key.error().where = "/key";
        return tl::unexpected(key.error());
    }
    std::vector<held> keys;
    keys.push_back({.key = std::move(*key)});
    {
        const std::lock_guard lock(mutex_);
        const auto at = entries_.find(name);
        if (at != entries_.end() && at->second.credential) return not_ours(name);
        if (at == entries_.end() && entries_.size() >= limits::max_keys)
            return fail(errc::limit_reached, "there are too many keys");
        const clock::time_point now = clock::now();
        if (at != entries_.end())
            for (const held& former : at->second.keys)
                if (grace.count() > 0 && former.until > now &&
                    former.key.index() == keys.front().key.index() &&
                    keys.size() < limits::keys_at_a_time)
                    keys.push_back({clone_key(former.key), std::min(former.until, now + grace)});
    }
    const secret whole = write(keys);
    FULMAR_CHECK(store(name, whole.reveal_text()));
    const std::lock_guard lock(mutex_);
    entry made;
    made.keys = std::move(keys);
    entries_.insert_or_assign(name, std::move(made));
    return {};
}

// The disk is not waited for under the lock: Connects ask for the state of keys.
result<void> key_store::remove(const std::string& name) {
    {
        const std::lock_guard lock(mutex_);
        const auto at = entries_.find(name);
        if (at == entries_.end())
            return fail(errc::not_found, fmt::format("there is no key {}", name), {},
                        "GET /v1/keys lists them");
        if (at->second.credential) return not_ours(name);
    }
    if (::unlink(path_of(name).c_str()) != 0 && errno != ENOENT)
        return fail_errno("cannot remove the key", errno, path_of(name));
    const std::lock_guard lock(mutex_);
    entries_.erase(name);
    return {};
}

std::vector<key_report> key_store::list() const {
    std::vector<key_report> out;
    const clock::time_point now = clock::now();
    const std::lock_guard lock(mutex_);
    for (const auto& [name, one] : entries_) {
        const auto former =
            std::count_if(one.keys.begin() + (one.keys.empty() ? 0 : 1), one.keys.end(),
                          [now](const held& h) { return h.until > now; });
        out.push_back({.name = name,
                       .state = one.keys.empty() ? key_state::broken : key_state::usable,
                       .tls = !one.keys.empty() && one.keys.front().key.index() != 0,
                       .why = one.why,
                       .credential = one.credential,
                       .former = static_cast<std::uint32_t>(former)});
    }
    return out;
}

template <typename Key>
key_state key_store::state_of_kind(std::string_view name) const noexcept {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(name);
    if (at == entries_.end()) return key_state::missing;
    const bool usable =
        !at->second.keys.empty() && std::holds_alternative<Key>(at->second.keys.front().key);
    return usable ? key_state::usable : key_state::broken;
}

template <typename Key>
result<std::vector<Key>> key_store::find_kind(std::string_view name) const {
    const clock::time_point now = clock::now();
    std::vector<Key> out;
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(name);
    if (at == entries_.end() || at->second.keys.empty() ||
        !std::holds_alternative<Key>(at->second.keys.front().key))
        return fail(errc::not_found, "there is no such key");
    for (const held& one : at->second.keys)
        if (out.empty() || one.until > now) {
            out.push_back(std::get<Key>(one.key).clone());
            if constexpr (requires { out.back().until; }) out.back().until = one.until;
        }
    return out;
}

key_state key_store::state_of(std::string_view name) const noexcept {
    return state_of_kind<security::dhchap_key>(name);
}
key_state key_store::tls_state_of(std::string_view name) const noexcept {
    return state_of_kind<security::tls_key>(name);
}

result<std::vector<security::dhchap_key>> key_store::find(std::string_view name) const {
    return find_kind<security::dhchap_key>(name);
}
result<std::vector<security::tls_key>> key_store::find_tls(std::string_view name) const {
    return find_kind<security::tls_key>(name);
}

}  // namespace fulmar::admin
