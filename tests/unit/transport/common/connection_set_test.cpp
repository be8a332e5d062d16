// Unit tests of transport/common/connection_set.hpp and turn_list.hpp.
#include "common/connection_set.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

namespace fulmar::transport::common {
namespace {

using namespace std::chrono_literals;

struct fake_connection {
    fake_connection(std::string& t, char n) : trace(t), name(n) {}
    bool flush() {
        trace += name;
        if (then) then();
        return true;
    }
    bool check_deadlines(instant) {
        trace += '.';
        if (then) then();
        return guarded;
    }
    static void destroy(fake_connection& c) {
        c.trace += '-';
        c.trace += c.name;
        delete &c;
    }
    std::string& trace;
    char name;
    bool guarded = false;
    std::function<void()> then;
    list_hook group_hook{};
    list_hook flush_hook{};
};

class connection_set_test : public ::testing::Test {
  protected:
    fake_connection& add(char name) {
        auto* made = new fake_connection(trace_, name);
        set_->add(*made);
        return *made;
    }
    std::string turn() {
        trace_.clear();
        reactor_->run_once();
        return trace_;
    }
    std::string turn_after(duration time) {
        clock_.advance(time);
        return turn();
    }

    manual_clock clock_;
    std::unique_ptr<engine::reactor> reactor_ =
        engine::reactor::create(
            {.id = {}, .busy_window = {}, .clock = &clock_, .descriptors = false})
            .value();
    std::string trace_;
    std::unique_ptr<connection_set<fake_connection>> set_ =
        std::make_unique<connection_set<fake_connection>>(*reactor_);
};

TEST_F(connection_set_test, flushes_each_once_a_turn_however_often_it_asks) {
    fake_connection& a = add('a');
    fake_connection& b = add('b');
    set_->needs_flush(b);
    set_->needs_flush(a);
    set_->needs_flush(b);
    EXPECT_EQ(turn(), "ba");
    EXPECT_EQ(turn(), "");
    set_->retire(a);
    set_->retire(b);
    EXPECT_EQ(turn(), "-a-b");
}

TEST_F(connection_set_test, who_asks_while_it_is_flushed_has_to_wait_for_the_next_turn) {
    fake_connection& a = add('a');
    a.then = [&] { set_->needs_flush(a); };
    set_->needs_flush(a);
    EXPECT_EQ(turn(), "a");
    a.then = nullptr;
    EXPECT_EQ(turn(), "a");
    set_->retire(a);
    EXPECT_EQ(turn(), "-a");
}

TEST_F(connection_set_test, one_that_another_ends_is_not_flushed_any_more) {
    fake_connection& a = add('a');
    fake_connection& b = add('b');
    a.then = [&] { set_->retire(b); };
    set_->needs_flush(a);
    set_->needs_flush(b);
    EXPECT_EQ(turn(), "a-b") << "b was in the list that was being visited";
    a.then = nullptr;
    set_->retire(a);
    EXPECT_EQ(turn(), "-a");
}

TEST_F(connection_set_test, looks_at_deadlines_every_second_while_anybody_has_one) {
    fake_connection& a = add('a');
    fake_connection& b = add('b');
    EXPECT_EQ(turn_after(5s), "") << "nobody has asked";
    b.guarded = true;
    set_->needs_deadlines();
    EXPECT_EQ(turn_after(500ms), "");
    EXPECT_EQ(turn_after(1s), "..");
    EXPECT_EQ(turn_after(2s), "..");
    b.guarded = false;
    EXPECT_EQ(turn_after(2s), "..");
    EXPECT_EQ(turn_after(5s), "") << "nobody had one";
    set_->retire(a);
    set_->retire(b);
    EXPECT_EQ(turn(), "-a-b");
}

TEST_F(connection_set_test, a_deadline_that_has_passed_may_end_its_connection) {
    fake_connection& a = add('a');
    fake_connection& b = add('b');
    a.then = [&] { set_->retire(a); };
    set_->needs_deadlines();
    EXPECT_EQ(turn_after(2s), "..-a");
    set_->retire(b);
    EXPECT_EQ(turn(), "-b");
}

TEST_F(connection_set_test, whoever_has_retired_goes_with_the_set) {
    set_->retire(add('a'));
    set_->needs_deadlines();
    set_.reset();
    EXPECT_EQ(trace_, "-a");
    EXPECT_EQ(turn_after(2s), "");
}

}  // namespace
}  // namespace fulmar::transport::common
